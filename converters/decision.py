"""What is published, and why: the rules of a certificate's verdict, apart from all measuring."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from registry.spec.certificate import Latency, Metric, Precision


@dataclass(frozen=True)
class Decision:
    """`reason` is for the owner: one or two sentences with the numbers that decided, and the remedy of a rejection."""

    verdict: Literal["certified", "rejected"]
    precision: Precision
    reason: str


def failing(metrics: Sequence[Metric]) -> str:
    """The metrics below their minimum as a sentence, empty where all pass."""
    return "; ".join(
        f"{m.name} is {m.value:.4f} (95 % interval {m.low:.4f} to {m.high:.4f}), "
        f"{(m.minimum or 0) - m.low:.4f} below the minimum {m.minimum:g}"
        for m in metrics
        if not m.passed
    )


def ratios(latency: Sequence[Latency]) -> str:
    """The measured speed as a phrase: INT8 time over float time for each batch."""
    return ", ".join(f"{e.ratio:.2f} ({e.rows} × {e.tokens} tokens)" for e in latency)


def why_floating(metrics: Sequence[Metric], latency: Sequence[Latency], *, fused: bool) -> str | None:
    """Why INT8 is not to be published though it is accurate; None where it is, or where accuracy rejects it.

    `fused` says whether the engine runs its products in integers.
    """
    if failing(metrics):
        return None
    if not fused:
        return "ONNX Runtime does not run this graph's products in integers on this processor"
    if not is_faster(latency):
        return f"INT8 is accurate but not faster here: it takes {ratios(latency)} of float's time"
    return None


def is_faster(latency: Sequence[Latency]) -> bool:
    """Whether quantized is faster over all shapes: the geometric mean of the ratios' upper ends is below 1."""
    return bool(latency) and math.fsum(math.log(entry.ratio_high) for entry in latency) < 0


def quantized(metrics: Sequence[Metric], latency: Sequence[Latency]) -> Decision:
    """INT8 runs in integers and is faster, or is not accurate: does it agree with the original?"""
    if short := failing(metrics):
        return Decision(
            "rejected",
            Precision.INT8,
            f"INT8 is over the accuracy budget: {short}. Ask for the precision float32, or bring calibration texts "
            "like those the model will read (calibration.txt, one text a line).",
        )
    return Decision(
        "certified",
        Precision.INT8,
        "INT8 agrees with the FP32 original within the accuracy budget and is faster: it takes "
        f"{ratios(latency)} of float's time.",
    )


def floating(metrics: Sequence[Metric], why: str) -> Decision:
    """Float is published because of `why`, a clause, if its graph still answers what the original does."""
    if short := failing(metrics):
        return Decision(
            "rejected",
            Precision.FLOAT32,
            f"The float graph does not answer what the original does: {short}. Export the model to ONNX yourself.",
        )
    return Decision("certified", Precision.FLOAT32, f"Published in float, because {why}.")
