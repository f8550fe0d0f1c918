"""Inspection and conversion in a child process of their own: the parent opens nothing that an owner handed in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from converters.errors import LOG_KEPT, ConversionFailed, SourceInvalid, out_of_memory, out_of_time
from converters.external_data import ExternalData
from converters.invocation import LOG, Invocation
from converters.outcome import Outcome, check_places, read_line
from converters.progress import Progress
from converters.removal import discard
from converters.report import ConversionReport
from converters.request import ConversionRequest, Limits
from converters.sources.facts import SourceFacts

__all__ = [
    "ConversionFailed",
    "Limits",
    "Progress",
    "SourceInvalid",
    "convert",
    "inspect_source",
    "locate_external_data",
]

_T = TypeVar("_T", SourceFacts, ExternalData, ConversionReport)
OnProgress = Callable[[Progress], Awaitable[None]]

_LINE_BYTES = 1024**2  # a result has about 10 KB


async def inspect_source(source: Path, task: str, limits: Limits, *, allow_pickle: bool = False) -> SourceFacts:
    """What `source`, a directory of uploaded files, is. Raises SourceInvalid, or ConversionFailed at the limits."""
    with tempfile.TemporaryDirectory(prefix="conch-inspect-") as scratch:
        request = ConversionRequest(source=source, task=task, allow_pickle=allow_pickle)
        call = Invocation("inspect", request, limits, Path(scratch))
        return _parsed(SourceFacts, await _run(call, _ignore))


async def locate_external_data(source: Path, scratch: Path, limits: Limits) -> ExternalData:
    """Where model.onnx in the directory `source` keeps weights beside itself, as it says; nothing has been checked.

    In the directory `scratch` stay the records. Raises SourceInvalid, or ConversionFailed at the limits.
    """
    call = Invocation("locate", ConversionRequest(source=source, task="tensor"), limits, scratch.absolute())
    return _parsed(ExternalData, await _run(call, _ignore))


async def convert(
    request: ConversionRequest, output: Path, limits: Limits, on_progress: OnProgress, cache: Path | None = None
) -> ConversionReport:
    """Convert `request.source` into the directory `output`, which is made and must be empty.

    In `cache` stays what was found out, for another attempt at the same request after a kill.

    However it ends, the `invocation.RECORDS` are in `output`: the request, a script to repeat it, the log. Raises
    SourceInvalid or ConversionFailed, and then leaves nothing else.
    """
    output.mkdir(parents=True, exist_ok=True)
    call = Invocation("convert", request, limits, output.absolute(), cache)
    try:
        report = _parsed(ConversionReport, await _run(call, on_progress))
        check_places(report, call.made)
        return report
    except BaseException:
        discard(call.made)
        raise
    finally:
        discard(call.scratch)


async def _run(call: Invocation, on_progress: OnProgress) -> Outcome:
    call.prepare()
    with (call.output / LOG).open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *call.arguments(parent=os.getpid()),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env=call.environment(),
            cwd=call.made,
            start_new_session=True,
            limit=_LINE_BYTES,
        )
    try:
        async with asyncio.timeout(call.limits.seconds):
            outcome = await _follow(process, on_progress)
            await process.wait()
    except TimeoutError as error:
        raise out_of_time(call.command, call.limits.seconds) from error
    finally:
        await _kill(process)
    return outcome or _died(process.returncode, call)


async def _follow(process: asyncio.subprocess.Process, on_progress: OnProgress) -> Outcome | None:
    """Pass the child's progress on until it ends; its outcome, None where it gave none."""
    assert process.stdout is not None
    outcome = None
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError as error:
            raise ConversionFailed("The child process said something too long.", LOG_KEPT) from error
        if not line:
            return outcome
        event = read_line(line)
        if isinstance(event, Progress):
            await on_progress(event)
        else:
            outcome = event


async def _kill(process: asyncio.subprocess.Process) -> None:
    """End the child and whatever it started: its session is its own."""
    with contextlib.suppress(ProcessLookupError):  # all of them have ended
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _died(returncode: int | None, call: Invocation) -> Outcome:
    """A child that ended without a word: the kernel's limits and crashes look like this."""
    if returncode == -signal.SIGXCPU:
        error = out_of_time(call.command, call.limits.seconds)
    elif returncode == -signal.SIGKILL:
        error = out_of_memory(call.command, call.limits.memory_bytes)
    elif returncode in (-signal.SIGTERM, -signal.SIGINT):
        how = signal.Signals(-returncode).name
        error = ConversionFailed(f"The child process was ended from outside ({how}).", "Start the conversion again.")
    else:
        size = f"{call.limits.memory_bytes / 1024**3:.1f} GB of memory"
        how = signal.Signals(-returncode).name if returncode and returncode < 0 else f"exit code {returncode}"
        error = ConversionFailed(
            f"The child process broke ({how}); libraries do that where the {size} that it may use are not enough.",
            f"Register a smaller model. {LOG_KEPT}",
        )
    return Outcome(error=ConversionFailed.__name__, message=error.message, remedy=error.remedy)


def _parsed(kind: type[_T], outcome: Outcome) -> _T:
    if outcome.error is not None:
        error = SourceInvalid if outcome.error == SourceInvalid.__name__ else ConversionFailed
        raise error(outcome.message, outcome.remedy)
    try:
        return kind.model_validate(outcome.result)
    except ValidationError as error:
        raise ConversionFailed("The child process gave a result that is not one.", LOG_KEPT) from error


async def _ignore(progress: Progress) -> None:
    """Inspection is over before anybody could read about it."""
