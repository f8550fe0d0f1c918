"""Files that a conversion leaves, and what each is for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from converters.invocation import RECORDS
from converters.report import ConversionReport
from registry.tables import FileRole


@dataclass(frozen=True)
class ConvertedFile:
    """A file, in the conversion's own directory until it is in the store under its hash."""

    role: FileRole
    path: Path


def made(report: ConversionReport) -> Iterator[ConvertedFile]:
    """What a conversion that ran to its end has made."""
    yield from (ConvertedFile(FileRole.SERVED, path) for path in sorted(report.model_directory.iterdir()))
    yield from (ConvertedFile(FileRole.CANONICAL, path) for path in report.canonical)
    if report.probe is not None:
        yield ConvertedFile(FileRole.PROBE, report.probe)


def records(output: Path) -> Iterator[ConvertedFile]:
    """What says how a conversion went and repeats it, however it ended."""
    paths = (output / name for name in RECORDS)
    yield from (ConvertedFile(FileRole.CONVERSION, path) for path in paths if path.exists())
