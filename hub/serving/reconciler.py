"""Every server serves every published version: a Triton that was restarted is filled again without a hand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from hub.serving.pool import TritonPool, TritonServer
from registry.database import Database
from registry.tables import Version, VersionState
from triton_repo.errors import TritonRepoError

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0


class Reconciler:
    """Compares what is published with what each server has loaded, and loads what is missing."""

    def __init__(self, database: Database, pool: TritonPool) -> None:
        self._database = database
        self._pool = pool
        self._task: asyncio.Task[None] | None = None
        self._refused: dict[tuple[str, str], str] = {}
        self.complete = False

    def start(self) -> None:
        """Begin to look, once a second."""
        self._task = asyncio.create_task(self._run(), name="reconciler")

    async def stop(self) -> None:
        """Stop looking; what is loaded stays loaded."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def look(self) -> None:
        """One round over all servers; `complete` says afterwards whether every published version is served."""
        published = await self._published()
        rounds = await asyncio.gather(*(self._fill(server, published) for server in self._pool.servers))
        self.complete = all(rounds)

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("cannot read what is published: %s", error)
                self.complete = False
            await asyncio.sleep(_LOOK_SECONDS)

    async def _published(self) -> Sequence[str]:
        async with self._database.read() as session:
            rows = await session.scalars(select(Version.serving_name).where(Version.state == VersionState.PUBLISHED))
            return rows.all()

    async def _fill(self, server: TritonServer, published: Sequence[str]) -> bool:
        try:
            loaded = {name for name, model in (await server.control.index()).items() if model.ready}
        except TritonRepoError as error:
            if server.ready:
                log.warning("%s", error.message)
            server.ready = frozenset()
            return False
        server.ready = frozenset(loaded - server.died)
        for name in published:
            if name not in server.ready:
                await self._load(server, name)
        return all(name in server.ready for name in published)

    async def _load(self, server: TritonServer, name: str) -> None:
        try:
            if name in server.died:
                log.warning("the process of %s died on %s", name, server.control.address)
                await server.control.reload(name)
            else:
                await server.control.load(name)
        except TritonRepoError as error:
            seen = self._refused.get((server.control.address, name))
            if seen != error.message:
                self._refused[server.control.address, name] = error.message
                log.error("%s does not load %s: %s", server.control.address, name, error.message)
        else:
            self._refused.pop((server.control.address, name), None)
            server.died.discard(name)
            server.ready |= {name}
            log.info("%s loaded %s", server.control.address, name)
