"""Inspection and conversion in a child process of their own: the parent opens nothing that an owner handed in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from converters import invocation
from converters.errors import ConversionFailed, SourceInvalid
from converters.invocation import Invocation
from converters.outcome import Outcome, check_places, read_line
from converters.progress import Progress
from converters.report import ConversionReport
from converters.request import ConversionRequest, Limits
from converters.sources.facts import SourceFacts

__all__ = ["ConversionFailed", "Limits", "Progress", "SourceInvalid", "convert", "inspect_source"]

_T = TypeVar("_T", SourceFacts, ConversionReport)
OnProgress = Callable[[Progress], Awaitable[None]]

_LINE_BYTES = 1024**2  # a result has about 10 KB
_KEPT_ON_FAILURE = {invocation.REQUEST, invocation.REPRODUCE, invocation.LOG}


async def inspect_source(source: Path, task: str, limits: Limits) -> SourceFacts:
    """What `source`, a directory of uploaded files, is. Raises SourceInvalid, or ConversionFailed at the limits."""
    with tempfile.TemporaryDirectory(prefix="conch-inspect-") as scratch:
        request = ConversionRequest(source=source, task=task)
        facts = await _run("inspect", request, Path(scratch), limits, _ignore)
        return _parsed(SourceFacts, facts)


async def convert(
    request: ConversionRequest, output: Path, limits: Limits, on_progress: OnProgress
) -> ConversionReport:
    """Convert `request.source` into the directory `output`, which is made and must be empty.

    Raises SourceInvalid or ConversionFailed, and then leaves only the log, the request and the script to repeat it.
    """
    output.mkdir(parents=True, exist_ok=True)
    try:
        report = _parsed(ConversionReport, await _run("convert", request, output, limits, on_progress))
        check_places(report, output.absolute())
        return report
    except BaseException:
        _remove_all_but(output, _KEPT_ON_FAILURE)
        raise
    finally:
        shutil.rmtree(output / invocation.SCRATCH, ignore_errors=True)


async def _run(
    command: str, request: ConversionRequest, directory: Path, limits: Limits, on_progress: OnProgress
) -> Outcome:
    call = Invocation(command=command, request=request, limits=limits, output=directory.absolute())
    call.prepare()
    with (directory / invocation.LOG).open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *call.arguments(parent=os.getpid()),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env=call.environment(),
            cwd=directory,
            start_new_session=True,
            limit=_LINE_BYTES,
        )
    try:
        async with asyncio.timeout(limits.seconds):
            outcome = await _follow(process, on_progress)
            await process.wait()
    except TimeoutError as error:
        raise ConversionFailed(
            f"It took longer than the {limits.seconds:g} s it may.",
            "Raise CONCH_CONVERSION_SECONDS, or register a smaller model.",
        ) from error
    finally:
        await _kill(process)
    return outcome or _died(process.returncode, limits)


async def _follow(process: asyncio.subprocess.Process, on_progress: OnProgress) -> Outcome | None:
    """Pass the child's progress on until it ends; its outcome, None where it gave none."""
    assert process.stdout is not None
    outcome = None
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError as error:
            raise ConversionFailed("The child process said something too long.", "Read its log.") from error
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


def _died(returncode: int | None, limits: Limits) -> Outcome:
    """A child that ended without a word: the kernel's limits and crashes look like this."""
    if returncode in (-signal.SIGKILL, -signal.SIGXCPU):
        message = f"It was stopped by the system; it may use {limits.memory_bytes / 1024**3:.1f} GB of memory."
        remedy = "Raise CONCH_CONVERSION_MEMORY_BYTES, or register a smaller model."
    else:
        message = f"The child process ended with exit code {returncode} and said nothing."
        remedy = "Read conversion.log in the conversion's directory."
    return Outcome(error="ConversionFailed", message=message, remedy=remedy)


def _parsed(kind: type[_T], outcome: Outcome) -> _T:
    if outcome.error is not None:
        error = SourceInvalid if outcome.error == SourceInvalid.__name__ else ConversionFailed
        raise error(outcome.message, outcome.remedy)
    try:
        return kind.model_validate(outcome.result)
    except ValidationError as error:
        raise ConversionFailed("The child process gave a result that is not one.", "Read its log.") from error


async def _ignore(progress: Progress) -> None:
    """Inspection is over before anybody could read about it."""


def _remove_all_but(directory: Path, kept: set[str]) -> None:
    for path in directory.iterdir():
        if path.name not in kept:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
