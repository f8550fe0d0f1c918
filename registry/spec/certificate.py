"""The certificate of a version: what was measured, on what data and on which hardware, and what was decided."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Precision(StrEnum):
    """The arithmetic of the published graph's weight-carrying operators."""

    INT8 = "int8"
    FLOAT32 = "float32"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Metric(_Part):
    """One accuracy figure against FP32 with its 95 % bootstrap interval; it passes where `low` reaches `minimum`."""

    name: str
    value: float
    low: float
    high: float
    minimum: float | None
    passed: bool


class Data(_Part):
    """A set of samples the model was calibrated with or judged on."""

    description: str
    samples: int
    sha256: str


class Latency(_Part):
    """Paired medians in milliseconds of one batch shape on `threads` threads; `ratio` is quantized over float."""

    rows: int
    tokens: int | None
    threads: int
    float_ms: float
    quantized_ms: float
    ratio: float
    ratio_low: float
    ratio_high: float


class Size(_Part):
    """Bytes of the graph files with their weights."""

    float_bytes: int
    quantized_bytes: int


class Operators(_Part):
    """What the engine really runs, counted in its own optimised graph: operator type to number of nodes.

    `quantized_share` is of the operators with constant weights, the only ones that can be quantized; `floating` has the
    others, too, such as the products of attention.
    """

    quantized: dict[str, int]
    floating: dict[str, int]
    quantized_share: float


class Hardware(_Part):
    """Where the figures were measured. `hardware_class` names what decides speed and saturation of INT8."""

    hardware_class: str
    processor: str
    cores: int


class Certificate(_Part):
    """The verdict on one version. A version without a certificate that says `certified` is never served."""

    format: Literal[1] = 1
    task: str
    verdict: Literal["certified", "rejected"]
    precision: Precision
    reason: str
    accuracy: list[Metric]
    latency: list[Latency]
    size: Size | None
    operators: Operators | None
    calibration: Data | None
    held_out: Data | None
    hardware: Hardware
    engine: str
    versions: dict[str, str]
    files: dict[str, str]
    created_at: datetime
