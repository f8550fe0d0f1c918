"""The supervisor behind `conch up`: brings every part up in order, keeps it up, takes it down in reverse."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from hub.embedded.control import PartStatus
from hub.embedded.directory import DataDirectory
from hub.embedded.errors import CannotStart, NotReady
from hub.embedded.external import ExternalServer
from hub.embedded.installation import Installation
from hub.embedded.ports import ensure_free
from hub.embedded.progress import Progress
from hub.embedded.supervised import Supervised
from hub.embedded.threads import in_thread


class Supervisor:
    """All parts of one installation."""

    def __init__(self, installation: Installation, data: DataDirectory, progress: Progress) -> None:
        self._installation = installation
        self._progress = progress
        self._postgres = Supervised(installation.postgres, "postgres", data)
        self._redis = Supervised(installation.redis, "redis", data)
        self._triton = Supervised(installation.triton, "triton", data)
        self._hub = Supervised(installation.hub, "hub", data)
        self._worker = Supervised(installation.worker, "worker", data)

    async def start(self, host: str, port: int) -> None:
        """Bring everything up. Raises CannotStart; what was started until then is up to `stop`."""
        await asyncio.to_thread(ensure_free, host, port)
        for server in self._installation.externals():
            await server.reach()
        self._installation.remove_shared_memory()
        await _together(self._database(), self._start(self._redis), self._start(self._triton))
        await _together(self._start(self._hub), self._start(self._worker))

    async def stop(self) -> None:
        """Take everything down, first what depends on the rest."""
        await asyncio.gather(self._hub.stop(), self._worker.stop())
        await asyncio.gather(self._triton.stop(), self._redis.stop())
        await self._postgres.stop()
        self._installation.remove_shared_memory()

    async def status(self) -> list[PartStatus]:
        """How every part is, asked now."""
        parts = (self._hub, self._worker, self._triton, self._redis, self._postgres)
        return list(await asyncio.gather(*(_status(part) for part in parts)))

    async def _database(self) -> None:
        from alembic.util import CommandError
        from sqlalchemy.exc import SQLAlchemyError

        from hub.migrations import upgrade

        await self._start(self._postgres)
        with self._progress.step("database schema"):
            try:
                await in_thread(upgrade, self._installation.database_url)
            except (SQLAlchemyError, CommandError) as error:
                raise CannotStart(
                    f"The database cannot be brought to this version of Conch ({_first_line(error)}).",
                    "It may have been used with a newer one: install that, or choose another directory with --data.",
                ) from error

    async def _start(self, supervised: Supervised) -> None:
        with self._progress.step(supervised.part.name) as step:
            version = await supervised.start()
            step.outcome = f"{version} at {supervised.part.address}" if supervised.part.address else version


async def _together(*starts: Coroutine[Any, Any, None]) -> None:
    """Run the starts side by side; the first that fails cancels the others, and its error is the one that is raised."""
    tasks = [asyncio.ensure_future(start) for start in starts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _status(supervised: Supervised) -> PartStatus:
    part = supervised.part
    try:
        version, health = await part.check(), "healthy"
    except NotReady as error:
        version, health = "", str(error)
    external = isinstance(part, ExternalServer)
    return PartStatus(part.name, part.address, version, health, supervised.pid, supervised.restarts, external)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def status_socket(sockets: Path) -> Path:
    """Where the supervisor answers questions about its parts."""
    return sockets / "control.sock"
