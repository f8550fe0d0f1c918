"""`conch convert`: one conversion on this machine, without a hub: a model in, files and a signed certificate out."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError
from rich.console import Console

from converters.child import convert
from converters.errors import ConversionFailed, SourceInvalid
from converters.progress import Progress
from converters.report import ConversionReport
from converters.request import ConversionRequest, Limits
from hub.cli.extras import fail
from hub.settings import ConversionLimits, MlflowSettings
from registry.certificates.document import Document
from registry.certificates.keys import load_or_create
from registry.certificates.page import page
from registry.certificates.signing import sign
from registry.certificates.terminal import show

_CALIBRATION = "calibration"


@dataclass(frozen=True)
class Options:
    """What the command line says. `source` is a file, a directory, or where MLflow has the model."""

    source: str
    output: Path
    calibration: Path | None
    key: Path
    mlflow_uri: str | None
    limits: Limits
    request: ConversionRequest


def options(source: str, output: Path, request: ConversionRequest, calibration: Path | None, key: Path) -> Options:
    """With the limits and the MLflow that the environment names."""
    mlflow, limits = MlflowSettings().tracking_uri, ConversionLimits()
    uri = mlflow.get_secret_value() if mlflow is not None else None
    bounds = Limits(limits.conversion_seconds, limits.conversion_memory_bytes)
    return Options(source, output, calibration, key, uri, bounds, request)


def request(asked: Mapping[str, Any]) -> ConversionRequest:
    """The request of these options. Raises typer.BadParameter for one that is out of range."""
    try:
        return ConversionRequest(source=Path("source"), **asked)
    except ValidationError as error:
        first = error.errors()[0]
        raise typer.BadParameter(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


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
    if options.output.exists() and any(options.output.iterdir()):
        if not (options.output / "cache").is_dir():
            fail(f"{options.output} is not empty", "name a new directory, or one of a conversion that was interrupted")
        _clear(options.output)
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="conch-convert-") as scratch:
        source = Path(scratch) / "source"
        try:
            _stage(options, source)
            report = _convert(options, source, console)
        except (SourceInvalid, ConversionFailed) as error:
            fail(error.message, error.remedy)
    document = _write(options, report)
    typer.echo(document.json(), nl=False) if as_json else show(document, Console())
    return 0 if report.certificate.verdict == "certified" else 1


def _convert(options: Options, source: Path, console: Console) -> ConversionReport:
    request = options.request.model_copy(update={"source": source})
    cache = options.output / "cache"
    with console.status("starting") as status:

        async def told(progress: Progress) -> None:
            status.update(f"[{progress.elapsed:.0f} s] {progress.message}".replace("[", "\\["))

        return asyncio.run(convert(request, options.output, options.limits, told, cache))


def _clear(output: Path) -> None:
    """Take away what an interrupted attempt left but its findings."""
    for path in output.iterdir():
        if path.is_dir() and path.name != "cache":
            shutil.rmtree(path)


def _stage(options: Options, source: Path) -> None:
    """The source as the child is to see it: a directory of plain files, the calibration data among them."""
    given = Path(options.source)
    if not given.exists():
        _fetch(options, source)
    elif given.is_dir():
        shutil.copytree(given, source)
    else:
        source.mkdir()
        name = "model.onnx" if given.suffix == ".onnx" else given.name
        shutil.copyfile(given, source / name)
        for beside in given.parent.glob(f"{given.name}.data*"):  # weights that ONNX keeps beside its file
            shutil.copyfile(beside, source / beside.name)
    if options.calibration is not None:
        shutil.copyfile(options.calibration, source / f"{_CALIBRATION}{options.calibration.suffix.lower()}")


def _fetch(options: Options, source: Path) -> None:
    from registry.tracking import TrackingError, fetch, is_reference, tracking

    if not is_reference(options.source):
        raise SourceInvalid(
            f"There is no file or directory {options.source!r}.",
            "Name one, or a model in MLflow: models:/name/3, models:/name@alias, runs:/id/path.",
        )
    try:
        fetch(options.source, tracking(Path("data"), options.mlflow_uri).uri, source)
    except TrackingError as error:
        raise SourceInvalid(error.message, error.remedy) from error


def _write(options: Options, report: ConversionReport) -> Document:
    """Lay out what stays: `model/`, `canonical/`, the certificate, the records."""
    made = options.output / "made"
    for path in made.iterdir():
        path.rename(options.output / path.name)
    made.rmdir()
    shutil.rmtree(options.output / "cache")
    document = sign(report.certificate, load_or_create(options.key))
    (options.output / "certificate.json").write_text(document.json(), encoding="utf-8")
    (options.output / "certificate.html").write_text(page(document), encoding="utf-8")
    return document
