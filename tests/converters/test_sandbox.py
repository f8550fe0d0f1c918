"""What the child can still reach, tried in a process that is confined as the child is."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path

import pytest

from converters import landlock

_PROGRAM = """
import json, os, pathlib, socket, sys
from converters.request import Limits
from converters.sandbox import confine
source, output, secret = map(pathlib.Path, sys.argv[1:4])
confinement = confine(Limits(60, 2**33), os.getppid(), source, output)
def attempt(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
    return "done"
print(json.dumps({
    "files": confinement.files,
    "network": confinement.network,
    "read source": attempt(lambda: (source / "file").read_text()),
    "write source": attempt(lambda: (source / "file").write_text("changed")),
    "write output": attempt(lambda: (output / "file").write_text("made")),
    "read secret": attempt(lambda: secret.read_text()),
    "list secrets": attempt(lambda: os.listdir(secret.parent)),
    "parent's environment": attempt(lambda: pathlib.Path(f"/proc/{os.getppid()}/environ").read_bytes()),
    "connect": attempt(lambda: socket.create_connection(("127.0.0.1", int(sys.argv[4])), timeout=2)),
}))
"""


@pytest.fixture
async def reached(tmp_path: Path) -> dict[str, object]:
    for name in ("source", "output", "private"):
        (tmp_path / name).mkdir()
    (tmp_path / "source" / "file").write_text("a source")
    (tmp_path / "private" / "secret").write_text("a key")
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _PROGRAM,
            *map(str, (tmp_path / "source", tmp_path / "output", tmp_path / "private" / "secret")),
            str(server.getsockname()[1]),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
    result: dict[str, object] = json.loads(output)
    return result


async def test_the_child_does_its_work(reached: dict[str, object]) -> None:
    assert reached["read source"] == "done"
    assert reached["write output"] == "done"


async def test_the_child_reaches_nothing_else(reached: dict[str, object]) -> None:
    if not reached["files"]:
        pytest.skip("this kernel has no Landlock, and the child says so in its log")
    assert reached["write source"] == "PermissionError"
    assert reached["read secret"] == "PermissionError"
    assert reached["list secrets"] == "PermissionError"
    assert reached["parent's environment"] == "PermissionError"


async def test_the_child_has_no_network(reached: dict[str, object]) -> None:
    if not reached["files"] and not reached["network"]:
        pytest.skip("this system forbids namespaces, and the child says so in its log")
    assert reached["connect"] != "done"


def test_a_kernel_without_landlock_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "_CREATE_RULESET", 9999)  # a call that no kernel has
    assert landlock.restrict([], []) is False
