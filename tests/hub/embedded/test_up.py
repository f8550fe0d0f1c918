"""`conch up` as its user knows it: the whole of it, with real servers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from hub.embedded.ports import free_ports
from hub.embedded.processes import Process

CONCH = (sys.executable, "-m", "hub")


class Conch:
    """One data directory and the commands on it."""

    def __init__(self, root: Path) -> None:
        self.data = root / "data"
        self.port = free_ports(1)[0]

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*CONCH, *arguments, "--data", str(self.data)],
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            check=False,
        )

    def up(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run("up", "--no-sample", "--detach", "--port", str(self.port), *arguments, **environment)

    def parts(self) -> dict[str, dict[str, Any]]:
        answer = self.run("status", "--json")
        return {part["name"]: part for part in json.loads(answer.stdout)["parts"]}

    def pids(self) -> list[int]:
        return [part["pid"] for part in self.parts().values()]

    def supervisor(self) -> int:
        return int((self.data / "lock").read_text())

    def bootstrap(self) -> dict[str, str]:
        content: dict[str, str] = json.loads((self.data / "bootstrap.json").read_text())
        return content


@pytest.fixture
def conch(tmp_path: Path) -> Any:
    conch = Conch(tmp_path)
    yield conch
    conch.run("down")


def _own_key(url: str, key: str) -> int:
    return httpx.get(f"{url}/v1/key", headers={"x-api-key": key}).status_code


def _metrics(url: str, key: str) -> int:
    return httpx.get(f"{url}/metrics", headers={"x-api-key": key}).status_code


def _gone(pids: list[int]) -> bool:
    """Whether all have ended; they were told to, and get a moment for it."""
    for _ in range(100):
        if all(Process.of(pid, "") is None for pid in pids):
            return True
        time.sleep(0.1)
    return False


def test_from_start_to_stop(conch: Conch) -> None:
    started = conch.up()
    assert started.returncode == 0, started.stdout + started.stderr
    assert f"Conch is ready at http://127.0.0.1:{conch.port}" in started.stdout

    bootstrap = conch.bootstrap()
    assert (conch.data / "bootstrap.json").stat().st_mode & 0o777 == 0o600
    assert httpx.get(f"{bootstrap['url']}/readyz").status_code == httpx.codes.OK
    for key in (bootstrap["admin_key"], bootstrap["demo_key"]):
        assert key.startswith("conch_")
    assert {name: part["health"] for name, part in conch.parts().items()} == dict.fromkeys(
        ("hub", "worker", "Triton", "Redis", "PostgreSQL"), "healthy"
    )

    second = conch.up()
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert f"already running on {conch.data} (pid {conch.supervisor()})" in second.stderr

    new_key = conch.run("admin-key").stdout.strip()
    for admin_key in (new_key, bootstrap["admin_key"]):
        assert _metrics(bootstrap["url"], admin_key) == httpx.codes.OK
    assert new_key != bootstrap["admin_key"]

    pids = [*conch.pids(), conch.supervisor()]
    assert conch.run("down").returncode == 0
    assert _gone(pids)
    assert not (conch.data / "bootstrap.json").exists()
    assert "is not running" in conch.run("status").stderr
    assert conch.run("down").returncode == 0


def test_a_killed_supervisor_takes_its_children_along_and_the_next_start_is_as_any(conch: Conch) -> None:
    assert conch.up().returncode == 0
    before, pids, supervisor = conch.bootstrap(), conch.pids(), conch.supervisor()
    os.kill(supervisor, signal.SIGKILL)
    again = conch.up()
    assert again.returncode == 0, again.stdout + again.stderr
    assert _gone([*pids, supervisor])
    assert conch.bootstrap() == before  # the same keys


def test_a_taken_port_starts_nothing(conch: Conch) -> None:
    with socket.create_server(("127.0.0.1", conch.port)):
        refused = conch.up()
    assert refused.returncode == 1
    assert refused.stderr == f"conch: Port {conch.port} is taken. Choose another one with --port.\n"
    assert not conch.data.exists()


def test_servers_of_others_are_used_and_left_alone(conch: Conch, tmp_path: Path) -> None:
    assert conch.up().returncode == 0
    servers = conch.parts()
    sockets = Path(servers["PostgreSQL"]["address"]).parent
    database_url = f"postgresql://conch@/others?host={sockets}"
    redis_url = f"unix://{servers['Redis']['address']}?db=1"
    with psycopg.connect(f"postgresql://conch@/conch?host={sockets}", autocommit=True) as connection:
        connection.execute("create database others")

    guest = Conch(tmp_path / "guest")
    started = guest.up(CONCH_DATABASE_URL=database_url, CONCH_REDIS_URL=redis_url)
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        bootstrap, parts = guest.bootstrap(), guest.parts()
        assert {name: (part["health"], part["external"], part["pid"] is None) for name, part in parts.items()} == {
            "hub": ("healthy", False, False),
            "worker": ("healthy", False, False),
            "Triton": ("healthy", False, False),
            "Redis": ("healthy", True, True),
            "PostgreSQL": ("healthy", True, True),
        }
        shown = guest.run("status", COLUMNS="80").stdout
        assert "external" in shown
        assert servers["Redis"]["address"] in shown
        refused = guest.run("admin-key")
        assert refused.returncode == 1
        assert "Set CONCH_DATABASE_URL" in refused.stderr
        # Its keys are in the other database, and nowhere else.
        answers = {url: _own_key(url, bootstrap["demo_key"]) for url in (bootstrap["url"], conch.bootstrap()["url"])}
        assert list(answers.values()) == [httpx.codes.OK, httpx.codes.UNAUTHORIZED]
    finally:
        stopped = guest.run("down")
    assert stopped.returncode == 0
    assert _gone([part["pid"] for part in parts.values() if part["pid"] is not None])
    assert conch.parts() == servers


def test_an_external_server_that_is_away_starts_nothing(conch: Conch) -> None:
    refused = conch.up(CONCH_REDIS_URL=f"redis://127.0.0.1:{free_ports(1)[0]}/0")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "correct CONCH_REDIS_URL" in refused.stderr
    assert list((conch.data / "run").iterdir()) == []


def test_a_part_that_dies_at_its_start_takes_the_others_down(conch: Conch) -> None:
    refused = conch.up(CONCH_LOG_LEVEL="loud")  # the hub refuses it; PostgreSQL, Redis and Triton are up by then
    assert refused.returncode == 1
    assert "ended while it was starting" in refused.stderr
    assert "CONCH_LOG_LEVEL" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert list((conch.data / "run").iterdir()) == []


def test_interrupting_a_start_leaves_nothing(conch: Conch) -> None:
    command = [*CONCH, "up", "--port", str(conch.port), "--data", str(conch.data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("✓ PostgreSQL"):
                break
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 0, rest
    assert rest.rstrip().endswith("stopping …")
    assert list((conch.data / "run").iterdir()) == []
