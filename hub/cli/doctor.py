"""`conch doctor`: what this machine has, what it lacks, and the line to run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import typer

from hub.embedded.errors import CannotStart
from hub.embedded.ports import ensure_free
from hub.suggestions import install

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - asked about only
LEAST_SHARED_MEMORY_BYTES = 64 * 1024**2  # Triton starts each Python model with 1 MB and grows; a container gives 64 MB


@dataclass(frozen=True)
class Finding:
    """One thing about the machine. `remedy` is empty where all is well or nothing can be done."""

    subject: str
    found: str
    remedy: str = ""


def run(port: int) -> int:
    """Print every finding; 0 when nothing is missing."""
    findings = [finding for check in (_system, _software, lambda: _port(port), _hardware) for finding in check()]
    for finding in findings:
        mark = "✗" if finding.remedy else "✓"
        typer.echo(f"{mark} {finding.subject}: {finding.found}")
        if finding.remedy:
            typer.echo(f"    {finding.remedy}")
    return 1 if any(finding.remedy for finding in findings) else 0


def _system() -> Iterator[Finding]:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    good = (3, 11) <= sys.version_info[:2] < (3, 13)
    yield Finding("Python", version, "" if good else "install Python 3.11 or 3.12, and Conch with it")
    yield _setpriv()
    if os.geteuid() == 0:
        there = shutil.which("useradd") is not None
        yield Finding("useradd", "there" if there else "missing", "" if there else "apt-get install passwd")
    free = shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.exists() else 0
    yield Finding(
        str(SHARED_MEMORY),
        f"{free // 1024**2} MB free",
        "" if free >= LEAST_SHARED_MEMORY_BYTES else "make it larger, as with `docker run --shm-size=1g`",
    )


def _setpriv() -> Finding:
    """Whether setpriv(1) can tie a child's life to its parent's; BusyBox's cannot."""
    try:
        subprocess.run(["setpriv", "--pdeathsig=TERM", "--", "true"], check=True, capture_output=True)  # noqa: S607
    except (OSError, subprocess.CalledProcessError):
        return Finding("setpriv", "missing or too old", "apt-get install util-linux")
    return Finding("setpriv", "there")


def _software() -> Iterator[Finding]:
    for extra, module in (("server", "fastapi"), ("convert", "torch"), ("embedded", "pytriton")):
        there = find_spec(module) is not None
        said = "installed" if there else "not installed"
        yield Finding(f"packages of [{extra}]", said, "" if there else install(extra))
    yield _attempt("PostgreSQL", _postgres)
    yield _attempt("Redis", _redis)
    yield _attempt("Triton", _triton)


def _attempt(subject: str, find: Callable[[], Path]) -> Finding:
    try:
        return Finding(subject, str(find()))
    except ModuleNotFoundError as error:
        return Finding(subject, f"{error.name} is not installed", install("embedded"))
    except CannotStart as error:
        return Finding(subject, error.message, error.remedy)


def _postgres() -> Path:
    from hub.embedded.postgres_server import binaries

    return binaries()


def _redis() -> Path:
    from hub.embedded.redis_server import program

    return program()


def _triton() -> Path:
    """Triton's program, once all that it needs is there, libpython included."""
    from triton_repo.errors import EmbeddedUnavailable
    from triton_repo.server_files import prepare

    with tempfile.TemporaryDirectory() as directory:
        try:
            return prepare(Path(directory)).binary
        except EmbeddedUnavailable as error:
            raise CannotStart(error.message, error.remedy) from error


def _port(port: int) -> Iterator[Finding]:
    try:
        ensure_free("127.0.0.1", port)
    except (CannotStart, socket.gaierror) as error:
        yield Finding(f"port {port}", "taken", str(error))
    else:
        yield Finding(f"port {port}", "free")


def _hardware() -> Iterator[Finding]:
    flags = _cpu_flags()
    features = {
        "AVX2": "avx2" in flags,
        "VNNI": bool(flags & {"avx512_vnni", "avx_vnni"}),
        "AMX": "amx_int8" in flags,
    }
    shown = ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in features.items())
    remedy = "" if features["AVX2"] else "models run, but slowly: use a machine with AVX2"
    yield Finding("CPU", f"{os.cpu_count()} cores, {shown}", remedy)
    gpu = Path("/proc/driver/nvidia/version").exists()
    yield Finding("GPU", "NVIDIA driver loaded" if gpu else "none; models run on the CPU")


def _cpu_flags() -> set[str]:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return set(line.partition(":")[2].split())
    return set()
