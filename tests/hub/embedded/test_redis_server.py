from __future__ import annotations

from pathlib import Path

from redis import Redis

from hub.embedded.directory import DataDirectory
from hub.embedded.redis_server import RedisServer
from hub.embedded.supervised import Supervised


async def test_it_listens_on_its_socket_only_and_its_memory_is_bounded(data: DataDirectory, sockets: Path) -> None:
    server = RedisServer(data, sockets)
    supervised = Supervised(server, "redis", data)
    version = await supervised.start()
    with Redis.from_url(server.url, decode_responses=True) as client:
        assert client.info("server")["redis_version"] == version
        assert client.config_get("port") == {"port": "0"}
        assert client.config_get("save") == {"save": ""}
        assert int(client.config_get("maxmemory")["maxmemory"]) == 256 * 1024**2
    assert Path(server.address).stat().st_mode & 0o077 == 0
    await supervised.stop()
    assert not Path(server.address).exists()
