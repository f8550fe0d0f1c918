"""What every step of one conversion is handed, and what a task's conversion hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from converters.decision import Decision
from converters.progress import Reporter
from converters.request import ConversionRequest
from converters.sources.facts import SourceFacts
from registry.spec.certificate import Data, Engine, Latency, Layer, Lowering, Metric, Operators, Point, Size
from registry.spec.signature import Signature


@dataclass(frozen=True)
class Job:
    """One conversion under way.

    `model` and `canonical` are directories for what stays, `scratch` for what does not. `cache` keeps what was found
    out from one attempt to the next.
    """

    request: ConversionRequest
    facts: SourceFacts
    output: Path
    cache: Path
    reporter: Reporter

    @property
    def model(self) -> Path:
        """Where exactly the files that serve go."""
        return self.output / "model"

    @property
    def canonical(self) -> Path:
        """Where the canonical INT8 files go."""
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
    """What was measured of the model that a decision is about."""

    accuracy: list[Metric]
    latency: list[Latency] = field(default_factory=list)
    size: Size | None = None
    operators: Operators | None = None
    curve: list[Point] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    lowerings: list[Lowering] = field(default_factory=list)
    calibration: Data | None = None
    selection: Data | None = None
    held_out: Data | None = None
    engine: Engine = Engine.ONNXRUNTIME


@dataclass(frozen=True)
class Converted:
    """What a task's conversion decided, measured and leaves in the job's directories."""

    decision: Decision
    measured: Measured
    signature: Signature
    max_batch: int
