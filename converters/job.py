"""What every step of one conversion is handed, and what a task's conversion hands back."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from converters.decision import Decision
from converters.progress import Reporter
from converters.request import ConversionRequest
from converters.sources.facts import SourceFacts
from converters.steps import hardware
from registry.spec.certificate import Certificate, Data, Latency, Metric, Operators, Size
from registry.spec.signature import Signature

_Part = TypeVar("_Part", Metric, Latency)

_VERSIONS = ("conch", "numpy", "onnx", "onnxruntime", "onnxscript", "tokenizers", "torch", "transformers")


@dataclass(frozen=True)
class Job:
    """One conversion under way. `model` and `canonical` are directories for what stays, `scratch` for what does not."""

    request: ConversionRequest
    facts: SourceFacts
    output: Path
    reporter: Reporter

    @property
    def model(self) -> Path:
        """Where exactly the files that serve go."""
        return self.output / "model"

    @property
    def canonical(self) -> Path:
        """Where the canonical INT8 file goes."""
        return self.output / "canonical"

    @property
    def probe(self) -> Path:
        """Where the inputs and outputs go that the served model is checked with."""
        return self.output / "probe.json"

    def scratch(self, name: str) -> Path:
        """A directory that is gone when the conversion ends."""
        path = self.output / "scratch" / name
        path.mkdir(parents=True, exist_ok=True)
        return path


@dataclass(frozen=True)
class Measured:
    """What was measured of the graph that a decision is about."""

    accuracy: list[Metric]
    latency: list[Latency] = field(default_factory=list)
    size: Size | None = None
    operators: Operators | None = None
    calibration: Data | None = None
    held_out: Data | None = None


@dataclass(frozen=True)
class Converted:
    """What a task's conversion decided, measured and leaves in the job's directories."""

    decision: Decision
    measured: Measured
    signature: Signature
    max_batch: int


def certificate(job: Job, converted: Converted) -> Certificate:
    """The certificate of `converted`, with the hashes of what went in and what came out."""
    measured = converted.measured
    return Certificate(
        task=job.request.task,
        verdict=converted.decision.verdict,
        precision=converted.decision.precision,
        reason=converted.decision.reason,
        accuracy=[_rounded(metric) for metric in measured.accuracy],
        latency=[_rounded(entry) for entry in measured.latency],
        size=measured.size,
        operators=measured.operators,
        calibration=measured.calibration,
        held_out=measured.held_out,
        hardware=hardware.describe(),
        engine=f"onnxruntime {importlib.metadata.version('onnxruntime')}, CPU",
        versions=_versions(_VERSIONS),
        files={
            **_digests("canonical", job.canonical),
            **_digests("model", job.model),
            **_digests("source", job.request.source),
        },
        created_at=datetime.now(UTC),
    )


def _versions(names: Iterable[str]) -> dict[str, str]:
    installed = {name: importlib.metadata.version(name) for name in names}
    return dict(sorted({"python": platform.python_version(), **installed}.items()))


def _rounded(part: _Part) -> _Part:
    """Four significant digits, for the reader: what is decided was decided on all of them."""
    figures = {name: float(f"{value:.4g}") for name, value in part if isinstance(value, float)}
    return part.model_copy(update=figures)


def _digests(prefix: str, directory: Path) -> dict[str, str]:
    """SHA-256 of every file below `directory`, by its path in it."""
    digests = {}
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                digests[f"{prefix}/{path.relative_to(directory)}"] = hashlib.file_digest(file, "sha256").hexdigest()
    return dict(sorted(digests.items()))
