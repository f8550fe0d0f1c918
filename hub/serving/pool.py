"""The Triton servers, and which of them a call goes to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from triton_repo.control import TritonControl
from triton_repo.errors import TritonRepoError

log = logging.getLogger(__name__)


class TritonServer:
    """One Triton: its connection, the models it was last seen to serve, and how many calls are under way there.

    `died` are models whose process is gone while Triton still calls them ready; the reconciler starts them again.
    """

    def __init__(self, address: str, key: str | None) -> None:
        self.control = TritonControl(address, key)
        self.ready: frozenset[str] = frozenset()
        self.died: set[str] = set()
        self.in_flight = 0

    def lost(self, serving_name: str) -> None:
        """A call found the process of a model dead: nothing more is sent there until it was started again."""
        self.died.add(serving_name)
        self.ready -= {serving_name}

    async def ask(self, serving_name: str) -> None:
        """See whether a model has been loaded since the last look."""
        if serving_name in self.died:
            return
        try:
            if await self.control.model_ready(serving_name):
                self.ready |= {serving_name}
        except TritonRepoError as error:
            log.warning("%s", error.message)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count a call while it is under way."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1


class TritonPool:
    """All servers; to be made inside the event loop that uses it."""

    def __init__(self, addresses: Sequence[str], key: str | None) -> None:
        self.servers = tuple(TritonServer(address, key) for address in addresses)

    def choose(self, serving_name: str) -> TritonServer | None:
        """The least busy server that has the model loaded; None where no server has."""
        if len(self.servers) == 1:
            server = self.servers[0]
            return server if serving_name in server.ready else None
        able = [server for server in self.servers if serving_name in server.ready]
        return min(able, key=lambda server: server.in_flight, default=None)

    async def find(self, serving_name: str) -> TritonServer | None:
        """As `choose`; where no server is known to have the model, they are asked: it may just have been published."""
        server = self.choose(serving_name)
        if server is None:
            await asyncio.gather(*(server.ask(serving_name) for server in self.servers))
            server = self.choose(serving_name)
        return server

    async def close(self) -> None:
        """Close every connection."""
        for server in self.servers:
            await server.control.close()
