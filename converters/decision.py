"""What is published, and why: the rules of a certificate's verdict, apart from all measuring."""

from __future__ import annotations

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


def quantized(metrics: Sequence[Metric], latency: Sequence[Latency]) -> Decision:
    """INT8 passed the audit and is faster: does it agree with the original?"""
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
        f"INT8 agrees with the FP32 original within the budget and is faster; time over float's: {ratios(latency)}.",
    )


def floating(metrics: Sequence[Metric], why: str) -> Decision:
    """Float is published because of `why`, if its graph still answers what the original does."""
    if short := failing(metrics):
        return Decision(
            "rejected",
            Precision.FLOAT32,
            f"The float graph does not answer what the original does: {short}. Export the model to ONNX yourself.",
        )
    return Decision("certified", Precision.FLOAT32, f"Published in float: {why}")
