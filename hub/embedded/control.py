"""The supervisor's Unix socket: who asks gets the state of every part, as JSON."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class PartStatus:
    """One part as it is now; `health` is `healthy` or says what is wrong. `pid` is None while it does not run here.

    `external` says that somebody else runs it.
    """

    name: str
    address: str
    version: str
    health: str
    pid: int | None
    restarts: int
    external: bool

    @property
    def healthy(self) -> bool:
        """Whether it works as it should."""
        return self.health == "healthy"


async def serve_status(path: Path, ask: Callable[[], Awaitable[list[PartStatus]]]) -> asyncio.Server:
    """Answer every connection to the socket at `path` with what `ask` finds."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            parts = await ask()
            writer.write(json.dumps([asdict(part) for part in parts]).encode())
            await writer.drain()
        except ConnectionError:  # the asker has gone
            pass
        finally:
            writer.close()

    return await asyncio.start_unix_server(answer, path)


def ask_status(path: Path) -> list[PartStatus]:
    """The state of every part, from the supervisor behind `path`. Raises OSError where it does not answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS)
        connection.connect(str(path))
        chunks = list(iter(lambda: connection.recv(65536), b""))
    if not chunks:
        raise ConnectionError("the supervisor closed the connection")
    return [PartStatus(**part) for part in json.loads(b"".join(chunks))]
