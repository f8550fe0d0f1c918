"""The certificate of a version: what was measured, on what data and on which hardware, and what was decided."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

# What the canonical JSON that is signed, PostgreSQL and MLflow can all hold; a certificate comes from a child process
# that is not trusted, and one with anything else could be neither signed nor kept.
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
"""Unicode without NUL. The pattern refuses lone surrogates, too: what does not encode does not match."""
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]
Moment = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC))]


class Precision(StrEnum):
    """What an owner asks for."""

    INT8 = "int8"
    FLOAT32 = "float32"


class Arithmetic(StrEnum):
    """How the weight-carrying operators of a graph are stored and run."""

    INT8 = "int8"
    """Weights and activations are integers with calibrated scales."""
    INT8_DYNAMIC = "int8-dynamic"
    """Weights are integers, activations are scaled anew in every run."""
    INT8_WEIGHTS = "int8-weights"
    """Only what is stored is an integer; products run in float."""
    INT4_WEIGHTS = "int4-weights"
    FLOAT16 = "float16"
    FLOAT32 = "float32"


class Engine(StrEnum):
    """What runs the graph."""

    ONNXRUNTIME = "onnxruntime"
    OPENVINO = "openvino"
    GENAI = "onnxruntime-genai"
    CTRANSLATE2 = "ctranslate2"
    TENSORRT = "tensorrt"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Metric(_Part):
    """One accuracy figure against FP32 with its bootstrap interval.

    `confidence` is above 0.95 where other candidates were judged on the same data before. It passes where `low`
    reaches `minimum` and `high` stays within `maximum`; without either it is only reported.
    """

    name: Text
    value: float
    low: float
    high: float
    confidence: float = 0.95
    minimum: float | None = None
    maximum: float | None = None
    passed: bool


class Data(_Part):
    """A set of samples the model was calibrated with or judged on."""

    description: Text
    samples: Count
    sha256: Text


class Latency(_Part):
    """Paired medians in milliseconds of one batch on `threads` threads; `ratio` is quantized over float.

    `load` says what the batch is, such as "8 × 32 tokens" or "1 × 3 × 320 × 320". Float is the original graph in FP32
    in ONNX Runtime, whichever engine runs the quantized one.
    """

    load: Text
    threads: Count
    float_ms: float
    quantized_ms: float
    ratio: float
    ratio_low: float
    ratio_high: float


class Size(_Part):
    """Bytes of the graph files with their weights."""

    float_bytes: Count
    quantized_bytes: Count


class Operators(_Part):
    """What the engine really runs, counted in its own optimised graph: operator type to number of nodes.

    `quantized_share` is of the operators with constant weights, the only ones that can be quantized; `floating` has the
    others, too, such as the products of attention.
    """

    quantized: dict[Text, Count]
    floating: dict[Text, Count]
    quantized_share: float


class Hardware(_Part):
    """Where the figures were measured. `hardware_class` names what decides speed and saturation of INT8."""

    hardware_class: Text
    processor: Text
    cores: Count


class Point(_Part):
    """A candidate that the search tried: a point of the accuracy–latency curve.

    `loss` is the share of the accuracy budget that the worst criterion uses on the selection data: 0 is FP32 itself,
    above 1 fails. `figures` are the task's, by name, on the same data. Of a finalist that was no choice (more layers in
    float, or another arithmetic) both are of held-out data. `passed` says whether it kept the budget wherever it was
    judged. The certificate's own accuracy is measured on held-out data that no choice has seen.
    """

    name: Text
    arithmetic: Arithmetic
    engine: Engine
    loss: float
    figures: dict[Text, float]
    latency_ratio: float | None
    size_ratio: float
    passed: bool
    chosen: bool


class Layer(_Part):
    """Operators that are quantized or left in float together.

    `harm` is the loss with nothing but this layer quantized; None where the search needed no ranking. `reason` says why
    a layer is float.
    """

    name: Text
    operators: dict[Text, Count]
    arithmetic: Arithmetic
    harm: float | None
    reason: Text | None


class Lowering(_Part):
    """Another form of the same canonical file, and how far it could be examined on this machine."""

    target: Text
    status: Literal["measured", "built, not run", "checked, not built", "refused"]
    detail: Text
    sha256: Text | None


class Lineage(_Part):
    """SHA-256 from what was handed in to what serves: of a set of files, over each path and content in order."""

    source: Text
    calibration: Text | None
    canonical: Text | None
    served: Text


class Certificate(_Part):
    """The verdict on one version. A version without a certificate that says `certified` is never served.

    `selection` is the data that the search chose by, `held_out` what the result was judged on; neither overlaps
    `calibration`. `curve` has every candidate that was measured, `layers` what is quantized and what is not.
    """

    format: Literal[2] = 2
    task: Text
    verdict: Literal["certified", "rejected"]
    precision: Arithmetic
    reason: Text
    accuracy: list[Metric]
    latency: list[Latency]
    size: Size | None
    operators: Operators | None
    curve: list[Point] = []
    layers: list[Layer] = []
    lowerings: list[Lowering] = []
    calibration: Data | None
    selection: Data | None = None
    held_out: Data | None
    hardware: Hardware
    engine: Engine
    engine_version: Text
    lineage: Lineage
    versions: dict[Text, Text]
    files: dict[Text, Text]
    seconds: Seconds
    peak_memory_bytes: Count
    created_at: Moment
