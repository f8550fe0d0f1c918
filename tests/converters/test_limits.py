"""The child ends at its limits and with its parent, and leaves nothing half-made."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import psutil
import pytest

from converters import child
from converters.child import ConversionFailed, Limits, convert, inspect_source
from converters.invocation import Invocation
from converters.outcome import check_places, read_line
from converters.progress import Progress
from converters.request import ConversionRequest
from tests.converters.given import LIMITS, Converted, no_progress

_DIAGNOSTICS = ["conversion.log", "reproduce.sh", "request.json"]


def _children_of(output: Path) -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["cmdline"]) if any(str(output) in part for part in p.info["cmdline"] or [])]


async def test_time(tiny_bert: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    with pytest.raises(ConversionFailed, match="longer than the 2 s") as error:
        await convert(
            ConversionRequest(source=tiny_bert, task="embedding"), output, Limits(2, 8 * 1024**3), no_progress
        )
    assert "ask the operator to raise CONCH_CONVERSION_SECONDS" in error.value.remedy
    assert sorted(path.name for path in output.iterdir()) == _DIAGNOSTICS
    assert "The walls around this process" in (output / "conversion.log").read_text()
    assert not _children_of(output)


async def test_memory(tiny_bert: Path, tmp_path: Path) -> None:
    """However a library takes it: as an exception of its own choice, or with a signal."""
    output = tmp_path / "output"
    limits = Limits(120, 192 * 1024**2)
    with pytest.raises(ConversionFailed, match=r"0\.2 GB of memory") as error:
        await convert(ConversionRequest(source=tiny_bert, task="embedding"), output, limits, no_progress)
    assert "Register a smaller model" in error.value.remedy
    assert sorted(path.name for path in output.iterdir()) == _DIAGNOSTICS


def test_a_child_that_the_kernel_stopped_names_the_limit(tmp_path: Path) -> None:
    request = ConversionRequest(source=tmp_path, task="embedding")
    call = Invocation("convert", request, Limits(60, 2**30), tmp_path)
    assert "CONCH_CONVERSION_MEMORY_BYTES" in child._died(-signal.SIGKILL, call).remedy
    assert "CONCH_CONVERSION_SECONDS" in child._died(-signal.SIGXCPU, call).remedy
    assert "SIGSEGV" in child._died(-signal.SIGSEGV, call).message


async def test_cancellation_ends_the_child(tiny_bert: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    begun = asyncio.Event()

    async def listen(progress: Progress) -> None:
        begun.set()

    task = asyncio.create_task(convert(ConversionRequest(source=tiny_bert, task="embedding"), output, LIMITS, listen))
    await begun.wait()
    assert _children_of(output)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _children_of(output)
    assert sorted(path.name for path in output.iterdir()) == _DIAGNOSTICS


async def test_the_child_dies_with_its_parent(tiny_bert: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    program = (
        "import asyncio, pathlib, sys\n"
        "from converters.child import Limits, convert\n"
        "from converters.request import ConversionRequest\n"
        "async def listen(progress): print(progress.step, flush=True)\n"
        "request = ConversionRequest(source=pathlib.Path(sys.argv[1]), task='embedding')\n"
        "asyncio.run(convert(request, pathlib.Path(sys.argv[2]), Limits(100, 2**33), listen))\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tiny_bert), str(output), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    await parent.stdout.readline()
    children = [process for process in _children_of(output) if process.pid != parent.pid]
    assert children
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


async def test_the_child_sees_none_of_the_parents_environment(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONCH_DATABASE_URL", "postgresql://secret")
    output, seen = tmp_path / "output", []

    async def listen(progress: Progress) -> None:
        seen.extend(process.environ() for process in _children_of(output))

    with pytest.raises(ConversionFailed):
        await convert(ConversionRequest(source=tiny_bert, task="embedding"), output, Limits(2, 8 * 1024**3), listen)
    assert seen
    assert all("CONCH_DATABASE_URL" not in environment for environment in seen)
    assert all(environment["HF_HUB_OFFLINE"] == "1" for environment in seen)


async def test_inspection_runs_in_the_child_too(tiny_bert: Path) -> None:
    facts = await inspect_source(tiny_bert, "embedding", LIMITS)
    assert facts.architecture == "bert"
    assert facts.text is not None
    assert (facts.text.max_tokens, facts.text.dimensions) == (64, 64)


async def test_an_inspection_that_takes_too_long_names_no_setting(tiny_bert: Path) -> None:
    with pytest.raises(ConversionFailed, match=r"longer than the 0\.01 s") as error:
        await inspect_source(tiny_bert, "embedding", Limits(0.01, 8 * 1024**3))
    assert "CONCH" not in str(error.value)


@pytest.mark.parametrize(
    "line", [b"hello\n", b"[]\n", b'{"event": "other", "data": 1}\n', b'{"event": "error"}\n', b"\xff"]
)
def test_a_child_that_babbles_is_a_failure(line: bytes) -> None:
    with pytest.raises(ConversionFailed):
        read_line(line)


def test_a_report_that_points_elsewhere_is_a_failure(rejected: Converted) -> None:
    report = rejected.report
    output = report.probe.parent
    check_places(report, output)
    for elsewhere in (Path("/etc"), output / ".." / "other"):
        with pytest.raises(ConversionFailed, match="outside"):
            check_places(report.model_copy(update={"model_directory": elsewhere}), output)
