"""What is published, and why: the rules of a certificate's verdict, apart from all measuring."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from registry.spec.certificate import Arithmetic, Latency, Metric, Size

_DECIMALS, _MOST_DECIMALS = 4, 17


@dataclass(frozen=True)
class Decision:
    """`reason` is for the owner: one or two sentences with the numbers that decided, and the remedy of a rejection."""

    verdict: Literal["certified", "rejected"]
    arithmetic: Arithmetic
    reason: str


def failing(metrics: Sequence[Metric]) -> str:
    """The metrics outside their bounds as a sentence, empty where all pass."""
    return "; ".join(_shortfall(metric) for metric in metrics if not metric.passed)


def _shortfall(metric: Metric) -> str:
    percent = f"{100 * metric.confidence:.4g} %"
    bound = metric.maximum if metric.minimum is None else metric.minimum
    assert bound is not None, "a metric without a bound passes"
    value, low, high = (_written(figure, bound) for figure in (metric.value, metric.low, metric.high))
    measured = f"{metric.name} is {value} ({percent} interval {low} to {high})"
    if metric.minimum is not None:
        short = f"the interval begins {_written(metric.minimum - metric.low, 0)} below the minimum {bound:.15g}"
        narrower = metric.value >= bound
    else:
        short = f"the interval ends {_written(metric.high - bound, 0)} above the maximum {bound:.15g}"
        narrower = metric.value <= bound
    return f"{measured}: {short}{', though the value keeps it: more samples would tell' if narrower else ''}"


def _written(value: float, bound: float) -> str:
    """Four decimals, and more where a figure would otherwise look like its bound."""
    texts = ((f"{value:.{digits}f}", f"{bound:.{digits}f}") for digits in range(_DECIMALS, _MOST_DECIMALS))
    return next((text for text, other in texts if text != other), f"{value:.{_DECIMALS}f}")


def ratios(latency: Sequence[Latency]) -> str:
    """The measured speed as a phrase: quantized time over float time for each load."""
    return ", ".join(f"{entry.ratio:.2f} ({entry.load})" for entry in latency)


def objection(
    arithmetic: Arithmetic, metrics: Sequence[Metric], latency: Sequence[Latency], size: Size, *, fused: bool
) -> str | None:
    """Why a candidate is not to be published, as a clause; None where it is.

    `fused` says whether the engine runs its products in integers.
    """
    if short := failing(metrics):
        return f"it is over the accuracy budget: {short}"
    if arithmetic is Arithmetic.FLOAT32:
        return None
    if arithmetic is Arithmetic.INT8 and not fused:
        return "no engine here runs this graph's products in integers"
    if arithmetic is Arithmetic.INT8_WEIGHTS:
        if size.quantized_bytes >= size.float_bytes or is_slower(latency):
            return f"it takes {ratios(latency)} of float's time and {_share(size):.2f} of its bytes"
        return None
    return (
        None
        if is_faster(latency)
        else f"it is accurate but not faster here: it takes {ratios(latency)} of float's time"
    )


def is_faster(latency: Sequence[Latency]) -> bool:
    """Whether quantized is faster over all loads: the geometric mean of the ratios' upper ends is below 1."""
    return bool(latency) and math.fsum(math.log(entry.ratio_high) for entry in latency) < 0


def is_slower(latency: Sequence[Latency]) -> bool:
    """Whether quantized is slower over all loads: the geometric mean of the ratios' lower ends is above 1."""
    return math.fsum(math.log(entry.ratio_low) for entry in latency) > 0


def certified(
    arithmetic: Arithmetic, latency: Sequence[Latency], size: Size | None, notes: Sequence[str], name: str = ""
) -> Decision:
    """The decision for a candidate to which there is no objection; `notes` are the objections to those before it.

    `name` tells it from others of its arithmetic.
    """
    if arithmetic is Arithmetic.FLOAT32:
        why = f" because {'; '.join(notes)}" if notes else " as it was asked for"
        return Decision("certified", arithmetic, f"Published in float,{why}.")
    assert size is not None, "a quantized candidate has a size"
    agrees = "agrees with the FP32 original within the accuracy budget"
    saves = f"it takes {ratios(latency)} of float's time and {_share(size):.2f} of its bytes"
    what = {
        Arithmetic.INT8: f"INT8 ({name})" if name else "INT8",
        Arithmetic.INT8_DYNAMIC: "Dynamic INT8",
        Arithmetic.INT8_WEIGHTS: "Float arithmetic on INT8 weights",
        Arithmetic.INT4_WEIGHTS: "Float arithmetic on INT4 weights",
    }[arithmetic]
    faster = " and is faster" if arithmetic is Arithmetic.INT8 else ""
    why = f" Others came before it and were objected to: {'; '.join(notes)}." if notes else ""
    return Decision("certified", arithmetic, f"{what} {agrees}{faster}: {saves}.{why}")


def rejected(arithmetic: Arithmetic, why: str) -> Decision:
    """Not even float answers what the original does: its graph is not the model."""
    return Decision(
        "rejected",
        arithmetic,
        f"The float graph does not answer what the original does: {why}. Its export went wrong: hand the model in as "
        "another of the formats that its task takes, or as a file that you exported yourself.",
    )


def _share(size: Size) -> float:
    return size.quantized_bytes / size.float_bytes
