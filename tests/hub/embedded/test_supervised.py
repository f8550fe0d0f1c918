from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.embedded.child import Launch
from hub.embedded.directory import DataDirectory
from hub.embedded.errors import CannotStart, NotReady
from hub.embedded.processes import Process
from hub.embedded.supervised import Supervised


class Shell:
    """A part that is a shell script, healthy when it has made a file."""

    name = "shell"
    address = ""
    start_seconds = 5.0

    def __init__(self, script: str, directory: Path) -> None:
        self._script = script
        self._directory = directory

    async def launch(self) -> Launch:
        (self._directory / "healthy").unlink(missing_ok=True)
        return Launch(("sh", "-c", self._script), {"PATH": os.defpath}, self._directory, grace=0.5)

    async def check(self) -> str:
        if not (self._directory / "healthy").exists():
            raise NotReady("no file yet")
        return "1"


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


HEALTHY = "touch healthy; sleep 600; true"


async def test_one_that_dies_at_its_start_says_why(data: DataDirectory) -> None:
    supervised = Supervised(Shell("echo the reason >&2; exit 3", data.work), "shell", data)
    with pytest.raises(CannotStart, match=r"ended while it was starting \(exit code 3\): the reason.*shell.log"):
        await supervised.start()
    await supervised.stop()


async def test_one_that_never_gets_healthy_is_given_up(data: DataDirectory) -> None:
    part = Shell("sleep 600", data.work)
    part.start_seconds = 0.2
    supervised = Supervised(part, "shell", data)
    with pytest.raises(CannotStart, match=r"was not ready within 0 s: no file yet"):
        await supervised.start()
    pid = supervised.pid
    await supervised.stop()
    assert pid is not None
    assert Process.of(pid, "sh") is None


async def test_one_that_dies_later_is_started_again(data: DataDirectory, caplog: pytest.LogCaptureFixture) -> None:
    supervised = Supervised(Shell(HEALTHY, data.work), "shell", data)
    with caplog.at_level(logging.WARNING, "conch.supervisor"):
        await supervised.start()
        first = supervised.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await _until(lambda: "is back" in caplog.text)
    assert supervised.pid != first
    assert supervised.restarts == 1
    assert "shell ended (signal SIGKILL)" in caplog.text
    await supervised.stop()


async def test_one_that_ignores_the_request_to_stop_is_killed(data: DataDirectory) -> None:
    supervised = Supervised(Shell(f"trap '' TERM; {HEALTHY}", data.work), "shell", data)
    await supervised.start()
    pid = supervised.pid
    assert pid is not None
    await supervised.stop()
    assert Process.of(pid, "sh") is None
    assert list(data.run.glob("*.json")) == []


async def test_stopping_in_the_midst_of_a_start_leaves_nothing(data: DataDirectory) -> None:
    supervised = Supervised(Shell("sleep 600; true", data.work), "shell", data)
    starting = asyncio.create_task(supervised.start())
    await _until(lambda: supervised.pid is not None)
    starting.cancel()
    await asyncio.wait([starting])
    pid = supervised.pid
    await supervised.stop()
    assert Process.of(pid, "sh") is None
