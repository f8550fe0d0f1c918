from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from hub.embedded.directory import DataDirectory
from hub.embedded.errors import CannotStart
from hub.embedded.external import ExternalServers, external_postgres, external_redis, external_triton, without_secrets
from hub.embedded.installation import plan
from hub.embedded.ports import free_ports


def test_an_address_is_shown_without_its_secrets() -> None:
    assert without_secrets("postgresql://u:secret@db:5432/x?password=p") == "postgresql://db:5432/x"
    assert without_secrets("redis://:secret@cache:6379/0") == "redis://cache:6379/0"


async def test_servers_that_are_away_are_named_with_their_variable() -> None:
    port = free_ports(1)[0]
    postgres = external_postgres(SecretStr(f"postgresql://conch:secret@127.0.0.1:{port}/conch"))
    with pytest.raises(CannotStart, match="CONCH_DATABASE_URL") as caught:
        await postgres.reach()
    assert "secret" not in str(caught.value)
    with pytest.raises(CannotStart, match="CONCH_REDIS_URL"):
        await external_redis(SecretStr(f"redis://127.0.0.1:{port}/0")).reach()
    with pytest.raises(CannotStart, match="CONCH_TRITON_URLS"):
        await external_triton(f"127.0.0.1:{port}", None).reach()


def test_a_triton_without_its_repository_is_refused(data: DataDirectory, sockets: Path) -> None:
    servers = ExternalServers(triton_urls="127.0.0.1:8001", model_repository=None)
    with pytest.raises(CannotStart, match="CONCH_MODEL_REPOSITORY"):
        plan(data, sockets, "127.0.0.1", 8080, servers)


def test_a_repository_without_its_triton_is_refused(data: DataDirectory, sockets: Path) -> None:
    servers = ExternalServers(triton_urls=None, model_repository=Path("/srv/models"))
    with pytest.raises(CannotStart, match="CONCH_MODEL_REPOSITORY is set without CONCH_TRITON_URLS"):
        plan(data, sockets, "127.0.0.1", 8080, servers)


def test_each_server_that_is_named_takes_the_place_of_the_embedded_one(data: DataDirectory, sockets: Path) -> None:
    servers = ExternalServers(database_url=SecretStr("postgresql://db/conch"), redis_url=None)
    installation = plan(data, sockets, "127.0.0.1", 8080, servers)
    assert [part.name for part in installation.externals()] == ["PostgreSQL"]
    assert installation.database_url == "postgresql://db/conch"


async def test_an_mlflow_of_ones_own_is_open_and_a_server_is_not_unless_the_operator_says_so(
    data: DataDirectory, sockets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def shared() -> str:
        worker = plan(data, sockets, "127.0.0.1", 8080, ExternalServers()).worker
        launch = await worker.launch()
        assert launch is not None
        return launch.environment["CONCH_MLFLOW_SHARED"]

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert await shared() == "true"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.internal:5000")
    assert await shared() == "false"
    monkeypatch.setenv("CONCH_MLFLOW_SHARED", "true")
    assert await shared() == "true"
