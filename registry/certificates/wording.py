"""A certificate's figures in words, the same in the terminal and on the page."""

from __future__ import annotations

import math

from registry.spec.certificate import Arithmetic, Engine, Lowering, Metric

ARITHMETIC = {
    Arithmetic.INT8: "INT8",
    Arithmetic.INT8_DYNAMIC: "INT8, dynamic",
    Arithmetic.INT8_WEIGHTS: "INT8 weights",
    Arithmetic.INT4_WEIGHTS: "INT4 weights",
    Arithmetic.FLOAT16: "FP16",
    Arithmetic.FLOAT32: "FP32",
}
ENGINE = {
    Engine.ONNXRUNTIME: "ONNX Runtime",
    Engine.OPENVINO: "OpenVINO",
    Engine.GENAI: "ONNX Runtime GenAI",
    Engine.CTRANSLATE2: "CTranslate2",
    Engine.TENSORRT: "TensorRT",
}
FLOATING = frozenset({Arithmetic.FLOAT16, Arithmetic.FLOAT32})

_STATUS = {
    "measured": "measured on this machine",
    "built, not run": "built, not run: its builder took it; no accuracy and no time of it was measured",
    "checked, not built": "checked, not built: no plan was made and nothing was run",
    "refused": "refused: the target would not take it",
}
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_FULL = 17
"""Significant digits that tell any two doubles apart."""


def number(value: float, *apart_from: float | None) -> str:
    """`value` with four significant digits, or with as many as it takes to tell it from each other value given.

    0.91996 beside a bound of 0.92 is not written as 0.92, and 0.99998 never as 1.
    """
    others = [other for other in (*apart_from, 1.0, 0.0) if other is not None and other != value]
    for digits in range(4, _FULL + 1):
        written = f"{value:.{digits}g}"
        if all(written != f"{other:.{digits}g}" for other in others):
            break
    return written.replace("-", "−", 1) if value < 0 else written


def interval(low: float, high: float, *apart_from: float | None) -> str:
    """Both ends of an interval."""
    return f"{number(low, *apart_from)} – {number(high, *apart_from)}"


def demand(metric: Metric) -> str:
    """What a metric's interval has to keep to."""
    bounds = [
        f"{sign} {number(bound)}" for sign, bound in (("≥", metric.minimum), ("≤", metric.maximum)) if bound is not None
    ]
    return " and ".join(bounds) or "nothing"


def outcome(metric: Metric) -> str:
    """Whether a metric passed; one without a bound is only reported."""
    if metric.minimum is None and metric.maximum is None:
        return "reported"
    return "passed" if metric.passed else "failed"


def times(ratio: float | None) -> str:
    """A ratio to FP32."""
    return "not measured" if ratio is None else f"{number(ratio)} ×"


def percent(share: float) -> str:
    """A share of 1; 99.96 % is not written as 100."""
    return f"{number(100 * share, 100.0)} %"


def size(count: float) -> str:
    """Bytes in decimal units."""
    power = min(len(_UNITS) - 1, max(0, int(math.log10(abs(count)) // 3))) if count else 0
    return f"{number(count / 1000**power)} {_UNITS[power]}"


def milliseconds(value: float) -> str:
    """A time."""
    return f"{number(value)} ms"


def status(lowering: Lowering) -> str:
    """How far a lowering was examined, so that nobody reads a figure into it that was not measured."""
    return _STATUS[lowering.status]


def operators(counts: dict[str, int]) -> str:
    """Operator types with their numbers."""
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())
