"""What the child can still reach, tried in a process that is confined as the child is."""

from __future__ import annotations

import asyncio
import json
import platform
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from converters import landlock, seccomp
from converters.request import Limits
from converters.sandbox import Confinement

_PROGRAM = """
import ctypes, json, os, pathlib, socket, subprocess, sys, threading
from converters.request import Limits
from converters.sandbox import confine
source, output, secret, listener = map(pathlib.Path, sys.argv[1:5])
port = int(sys.argv[5])
confinement = confine(Limits(60, 2**33), os.getppid(), source, [output])
libc = ctypes.CDLL(None, use_errno=True)

def attempt(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
    return "done"

def by_path():
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(listener))

def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")

def pipe():
    read, write = os.pipe()
    os.write(write, b"through")
    assert os.read(read, 7) == b"through"

def thread():
    worker = threading.Thread(target=pipe)
    worker.start()
    worker.join()

def fork():
    if (child := os.fork()) == 0:
        os._exit(0)
    os.waitpid(child, 0)

print(json.dumps({
    "landlock": confinement.landlock,
    "network": confinement.network,
    "calls": confinement.calls,
    "walls": confinement.walls(),
    "read source": attempt(lambda: (source / "file").read_text()),
    "write source": attempt(lambda: (source / "file").write_text("changed")),
    "write output": attempt(lambda: (output / "file").write_text("made")),
    "read secret": attempt(lambda: secret.read_text()),
    "list secrets": attempt(lambda: os.listdir(secret.parent)),
    "make a pipe": attempt(lambda: os.mkfifo(output / "pipe")),
    "make a device": attempt(lambda: os.mknod(output / "null", 0o20600, os.makedev(1, 3))),
    "link to a secret": attempt(lambda: os.link(secret, output / "link")),
    "parent's environment": attempt(lambda: pathlib.Path(f"/proc/{os.getppid()}/environ").read_bytes()),
    "TCP": attempt(lambda: socket.create_connection(("127.0.0.1", port), timeout=2)),
    "UDP": attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port))),
    "Unix socket": attempt(by_path),
    "pair of sockets": attempt(socket.socketpair),
    "netlink": attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
    "io_uring": attempt(lambda: call(425, 8, ctypes.create_string_buffer(120))),
    "x32": attempt(lambda: call(0x40000000 + 41, 1, 1, 0)),
    "trace": attempt(lambda: call({"x86_64": 101, "aarch64": 117}.get(os.uname().machine), 16, os.getppid(), 0, 0)),
    "unshare": attempt(lambda: call({"x86_64": 272, "aarch64": 97}.get(os.uname().machine), 0x10000000)),
    "fork": attempt(fork),
    "start": attempt(lambda: subprocess.run(["true"])),
    "pipe": attempt(pipe),
    "thread": attempt(thread),
}))
"""
_NO_SOCKETS = ("TCP", "UDP", "Unix socket", "pair of sockets", "netlink", "io_uring")


@pytest.fixture(scope="module")
def reached(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    directory = tmp_path_factory.mktemp("sandbox")
    return asyncio.run(_reached(directory))


async def _reached(directory: Path, program: str = _PROGRAM) -> dict[str, object]:
    for name in ("source", "output", "private"):
        (directory / name).mkdir()
    (directory / "source" / "file").write_text("a source")
    (directory / "private" / "secret").write_text("a key")
    listener = directory / "listener"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(listener))
        unix.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(listener))  # it can be reached from outside
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            program,
            *map(str, (directory / "source", directory / "output", directory / "private" / "secret", listener)),
            str(server.getsockname()[1]),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
    result: dict[str, object] = json.loads(output)
    return result


def test_the_child_does_its_work(reached: dict[str, object]) -> None:
    assert {what: reached[what] for what in ("read source", "write output", "pipe", "thread")} == {
        "read source": "done",
        "write output": "done",
        "pipe": "done",
        "thread": "done",
    }


def test_the_child_reaches_no_other_file(reached: dict[str, object]) -> None:
    if not reached["landlock"]:
        pytest.skip("this kernel has no Landlock, and the child says so in its log")
    assert reached["write source"] == "PermissionError"
    assert reached["read secret"] == "PermissionError"
    assert reached["list secrets"] == "PermissionError"
    assert reached["link to a secret"] != "done"
    assert reached["parent's environment"] == "PermissionError"


def test_the_child_opens_no_socket(reached: dict[str, object]) -> None:
    if not reached["calls"]:
        pytest.skip("this kernel has no seccomp, and the child says so in its log")
    assert {what: reached[what] for what in _NO_SOCKETS} == dict.fromkeys(_NO_SOCKETS, "PermissionError")


def test_the_child_starts_no_process_and_looks_into_none(reached: dict[str, object]) -> None:
    if not reached["calls"]:
        pytest.skip("this kernel has no seccomp, and the child says so in its log")
    refused = ("fork", "start", "trace", "unshare")
    assert {what: reached[what] for what in refused} == dict.fromkeys(refused, "PermissionError")


def test_the_child_makes_no_pipe_and_no_device_that_others_could_open(reached: dict[str, object]) -> None:
    if not reached["calls"]:
        pytest.skip("this kernel has no seccomp, and the child says so in its log")
    assert (reached["make a pipe"], reached["make a device"]) == ("PermissionError", "PermissionError")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x32 is a second way into the same kernel on x86_64 only")
def test_the_child_cannot_go_round_the_filter_by_other_numbers(reached: dict[str, object]) -> None:
    if not reached["calls"]:
        pytest.skip("this kernel has no seccomp, and the child says so in its log")
    assert reached["x32"] == "PermissionError"


async def test_the_namespace_and_landlock_hold_without_the_filter(tmp_path: Path) -> None:
    without = _PROGRAM.replace(
        "confinement =", "import converters.seccomp; converters.seccomp._MACHINES = {}\nconfinement ="
    )
    reached = await _reached(tmp_path, without)
    assert not reached["calls"]
    if not reached["network"] and not reached["landlock"]:
        pytest.skip("this system forbids namespaces, and the child says so in its log")
    assert reached["TCP"] != "done"


def test_a_process_with_threads_is_not_confined_in_part(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, threading; from converters.request import Limits; from converters.sandbox import confine\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "try: confine(Limits(60, 2**33), os.getppid(), pathlib.Path(), [])\n"
        "except RuntimeError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "threads" in done.stdout


def test_what_does_not_hold_is_said() -> None:
    nothing = Confinement(landlock=0, network=False, calls=False, limits=Limits(60, 2**30)).walls()
    assert [line for line in nothing if "NOT" in line] == nothing[:3]
    everything = Confinement(landlock=7, network=True, calls=True, limits=Limits(60, 2**30)).walls()
    assert not any("NOT" in line for line in everything)


def test_a_kernel_without_landlock_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "_CREATE_RULESET", 9999)  # a call that no kernel has
    assert landlock.restrict([], []) == 0


def test_a_processor_without_a_filter_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert seccomp.restrict() is False


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize(
    ("name", "first", "expected"),
    [
        ("socket", 0, "EPERM"),
        ("ptrace", 0, "EPERM"),
        ("bpf", 0, "EPERM"),
        ("mount", 0, "EPERM"),
        ("mknodat", 0, "EPERM"),
        ("clone3", 0, "ENOSYS"),
        ("a process", 0x11, "EPERM"),
        ("a thread", 0x3D0F00, "allow"),
        ("read", 0, "allow"),
    ],
)
def test_the_filter_by_a_machine_of_our_own(machine: str, name: str, first: int, expected: str) -> None:
    """The kernel here can try one processor only; this reads the program as every kernel does."""
    known = seccomp._MACHINES[machine]
    numbers = {key: value[known.column] for key, value in seccomp._REFUSED.items()}
    numbers |= {"clone3": known.clone3, "a process": known.clone, "a thread": known.clone}
    numbers["read"] = {"x86_64": 0, "aarch64": 63}[machine]
    program = list(seccomp._instructions(known))
    assert _answer(program, known.audit, numbers[name] or 0, first) == expected
    assert _answer(program, 0x40000003, numbers[name] or 0, first) == "kill"


def _answer(program: list[bytes], audit: int, number: int, first: int) -> str:
    data, value, position = struct.pack("=IIQQ", number, audit, 0, first), 0, 0
    while True:
        code, then, otherwise, operand = struct.unpack("=HBBI", program[position])
        position += 1
        if code == 0x20:
            (value,) = struct.unpack_from("=I", data, operand)
        elif code == 0x06:
            return {0x7FFF0000: "allow", 0x80000000: "kill", 0x50001: "EPERM", 0x50026: "ENOSYS"}[operand]
        else:
            holds = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[code]
            position += then if holds else otherwise
