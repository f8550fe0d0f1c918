"""`conch convert`: one conversion on this machine, without a hub: a model in, files and a signed certificate out."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from converters.child import OnProgress, convert
from converters.errors import ConversionFailed, SourceInvalid
from converters.progress import Progress
from converters.report import ConversionReport
from converters.request import ConversionRequest, Limits
from hub.cli import conversion_directory, conversion_run, conversion_source
from hub.cli.conversion_directory import ConversionDirectory, OutputUnusable
from hub.cli.conversion_run import Run
from hub.cli.conversion_source import Source
from hub.cli.extras import fail
from hub.cli.settings import require
from hub.settings import ConversionLimits
from registry.certificates.document import Document
from registry.certificates.errors import CertificateError
from registry.certificates.keys import load_or_create
from registry.certificates.signing import sign
from registry.certificates.terminal import show
from registry.spec.tasks import TASKS
from registry.tracking import TrackingError

_INTERRUPTED = 130  # as a shell reports a program that Ctrl-C ended


@dataclass(frozen=True)
class Options:
    """What the command line says. `source` is a file, a directory, or where MLflow has the model.

    Where `mlflow_uri` is given, the conversion is recorded there.
    """

    source: str
    output: Path
    calibration: Path | None
    key: Path
    mlflow_uri: str | None
    request: ConversionRequest


def request(asked: Mapping[str, Any]) -> ConversionRequest:
    """The request of these options. Raises typer.BadParameter for one that is out of range, or that the task lacks."""
    try:
        made = ConversionRequest(source=Path("source"), **asked)
    except ValidationError as error:
        first = error.errors()[0]
        raise typer.BadParameter(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if made.task not in TASKS:
        raise typer.BadParameter(f"there is no task {made.task!r}; the tasks are {', '.join(sorted(TASKS))}")
    criteria = {criterion.name: criterion for criterion in TASKS[made.task].criteria}
    for name, bound in made.budget.items():
        if name not in criteria:
            raise typer.BadParameter(f"{made.task} is not judged by {name!r}; its criteria are {', '.join(criteria)}")
        if not criteria[name].can_be(bound):
            raise typer.BadParameter(f"{name} is at most 1: nothing keeps a minimum of {bound:g}")
    return made


def budget(entries: Sequence[str]) -> dict[str, float]:
    """`["cosine=0.998"]` as bounds by criterion. Raises typer.BadParameter."""
    bounds = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        try:
            bounds[name.strip()] = float(value)
        except ValueError as error:
            raise typer.BadParameter(f"{entry!r} is not CRITERION=NUMBER, such as cosine=0.998") from error
        if not equals or not name.strip():
            raise typer.BadParameter(f"{entry!r} is not CRITERION=NUMBER, such as cosine=0.998")
    return bounds


def run(options: Options, *, as_json: bool) -> int:
    """Convert; the exit code of the command: 0 where the certificate says certified, 1 where it does not."""
    require([ConversionLimits])
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # so that the terminal is left as it was found
    try:
        report, document = _converted(options)
    except KeyboardInterrupt:
        typer.echo(
            f"conch: interrupted; what was measured is kept in {options.output}. "
            "Give the same command again to go on from there.",
            err=True,
        )
        return _INTERRUPTED
    except (SourceInvalid, ConversionFailed, OutputUnusable, CertificateError, TrackingError) as error:
        fail(error.message, error.remedy)
    except OSError as error:  # a full disk, a file that may not be read
        fail(
            f"{error.filename or options.output} cannot be read or written ({error.strerror}).",
            "Check its permissions and the space that is free, and start the same command again.",
        )
    if as_json:
        typer.echo(document.json(), nl=False)
    else:
        show(document, Console())
        typer.echo(
            f"Written to {options.output}: model/ is what serves, certificate.html the page for a browser; "
            f"`conch certificate show {options.output}/certificate.json` shows this again."
        )
    return 0 if report.certificate.verdict == "certified" else 1


def _converted(options: Options) -> tuple[ConversionReport, Document]:
    """Everything that can be refused is looked at before anything of an earlier attempt is taken away."""
    conversion_run.check(options.mlflow_uri)
    source = conversion_source.find(
        options.source, options.request.task, options.calibration, options.mlflow_uri, options.output
    )
    with conversion_directory.opened(options.output) as directory:
        if not options.key.exists():
            typer.echo(f"conch: there is no key at {options.key}; a new one is made there and signs", err=True)
        key = load_or_create(options.key)
        report, run = _convert(options, source, directory)
        document = sign(report.certificate, key)
        directory.lay_out(document)
        if run is not None:
            with _only_warned():
                run.succeeded(report.certificate)
        directory.finish()
    return report, document


def _convert(options: Options, source: Source, directory: ConversionDirectory) -> tuple[ConversionReport, Run | None]:
    """The report in what the child made, and the run that is to record it."""
    bounds = ConversionLimits()
    limits = Limits(bounds.conversion_seconds, bounds.conversion_memory_bytes)
    staging = directory.clear()
    try:
        staged = conversion_source.stage(source, staging)
        request = options.request.model_copy(update={"source": staged.directory})
        run = conversion_run.begin(options.mlflow_uri, directory, source, staged, request)
        try:
            with _progress(Console(stderr=True)) as told:
                return asyncio.run(convert(request, directory.path, limits, told, directory.cache)), run
        except (SourceInvalid, ConversionFailed) as error:
            if run is not None:
                with _only_warned():
                    run.failed(error)
            raise
    finally:
        directory.remove_staging()


@contextmanager
def _progress(console: Console) -> Iterator[OnProgress]:
    """What is being done now, in one line that changes; a line each where nobody looks at a terminal."""
    with console.status("starting") as status:

        async def told(progress: Progress) -> None:
            line = escape(f"[{progress.elapsed:.0f} s] {progress.message}")
            if console.is_terminal:
                status.update(line)
            else:
                console.print(line, highlight=False, soft_wrap=True)

        yield told


@contextmanager
def _only_warned() -> Iterator[None]:
    """That MLflow is away costs the run, not the conversion."""
    try:
        yield
    except TrackingError as error:
        typer.echo(f"conch: the conversion is not recorded in MLflow: {error}", err=True)
