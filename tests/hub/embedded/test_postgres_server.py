from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from hub.embedded.child import Child
from hub.embedded.directory import DataDirectory
from hub.embedded.errors import CannotStart, NotReady
from hub.embedded.postgres_server import PostgresServer
from hub.embedded.processes import working_in
from hub.embedded.supervised import Supervised


@pytest.fixture
async def server(data: DataDirectory, sockets: Path) -> AsyncIterator[PostgresServer]:
    server = PostgresServer(data, sockets)
    supervised = Supervised(server, "postgres", data)
    await supervised.start()
    yield server
    await supervised.stop()
    assert working_in(data.postgres / "data") == []


async def test_what_is_committed_is_on_the_disk(server: PostgresServer) -> None:
    with psycopg.connect(server.url) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert connection.execute(f"show {setting}").fetchone() == ("on",)  # type: ignore[arg-type]


async def test_it_listens_on_its_socket_only_and_its_role_is_no_superuser(server: PostgresServer) -> None:
    with psycopg.connect(server.url) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("",)
        assert connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone() == (False,)
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        psycopg.connect(server.url.replace("conch@", "postgres@"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run PostgreSQL as somebody else")
async def test_as_root_only_its_own_directory_is_another_users(server: PostgresServer, data: DataDirectory) -> None:
    assert (data.postgres / "data").stat().st_uid == data.postgres.stat().st_uid != 0
    others = (data.root, data.run, data.logs, data.redis, data.artefacts)
    assert {path.stat().st_uid for path in others} == {0}


async def test_after_a_kill_it_starts_again_with_everything_committed(data: DataDirectory, sockets: Path) -> None:
    server = PostgresServer(data, sockets)
    child = Child("postgres", await server.launch(), data)
    child.start()
    await _until_up(server)
    with psycopg.connect(server.url) as connection:
        connection.execute("create table kept (number int)")
        connection.execute("insert into kept values (42)")
    os.kill(child.pid, signal.SIGKILL)
    await child.wait()

    supervised = Supervised(server, "postgres", data)
    assert (await supervised.start()).startswith("18.")
    with psycopg.connect(server.url) as connection:
        assert connection.execute("select number from kept").fetchone() == (42,)
    await supervised.stop()


async def test_a_server_left_over_is_ended_before_another_one_starts(data: DataDirectory, sockets: Path) -> None:
    server = PostgresServer(data, sockets)
    left = Child("postgres", await server.launch(), data)
    left.start()
    await _until_up(server)
    await server.launch()
    await left.wait()
    assert working_in(data.postgres / "data") == []
    await left.stop()


async def test_a_cluster_of_another_version_is_refused(data: DataDirectory, sockets: Path) -> None:
    cluster = data.postgres / "data"
    cluster.mkdir()
    (cluster / "PG_VERSION").write_text("16\n")
    with pytest.raises(CannotStart, match="was written by PostgreSQL 16"):
        await PostgresServer(data, sockets).launch()


async def _until_up(server: PostgresServer) -> None:
    while True:
        try:
            await server.check()
        except NotReady:
            await asyncio.sleep(0.05)
        else:
            return
