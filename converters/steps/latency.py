"""How long a request takes quantized and in float, measured in turns so that a busy machine disturbs both alike."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from converters.steps.bootstrap import interval, median
from converters.subject import Load, Model
from registry.spec.certificate import Latency

_PAIRS = 25
_SECONDS = 4.0  # a load stops taking pairs after this long, but not before the fifth
_LEAST_PAIRS = 5


def measure(
    floating: Model, quantized: Model, loads: Sequence[Load], seed: int, *, pairs: int = _PAIRS
) -> list[Latency]:
    """Latencies of two open models with the same parts, on one thread, for each load.

    Raises what the sessions raise: EngineRefused of those that a candidate opens.
    """
    return [of_pairs(_pairs(floating, quantized, load, pairs), load.label, seed) for load in loads]


def _pairs(slow: Model, fast: Model, load: Load, most: int) -> NDArray[np.float64]:
    """Milliseconds [pairs, (float, quantized)]; who goes first alternates."""
    for model in (slow, fast, slow, fast):  # the first runs allocate
        _milliseconds(model, load)
    pairs: list[tuple[float, float]] = []
    started = time.monotonic()
    while len(pairs) < most and (len(pairs) < _LEAST_PAIRS or time.monotonic() - started < _SECONDS):
        if len(pairs) % 2:
            quantized_ms, float_ms = _milliseconds(fast, load), _milliseconds(slow, load)
        else:
            float_ms, quantized_ms = _milliseconds(slow, load), _milliseconds(fast, load)
        pairs.append((float_ms, quantized_ms))
    return np.array(pairs)


def _milliseconds(model: Model, load: Load) -> float:
    started = time.perf_counter()
    for sample in load.samples:
        model[sample.part].run(None, sample.feeds)
    return (time.perf_counter() - started) * 1000


def of_pairs(pairs: NDArray[np.float64], label: str, seed: int) -> Latency:
    """The medians of milliseconds [pairs, (float, quantized)], each of one thread, with the interval of their ratio."""
    ratios = pairs[:, 1] / pairs[:, 0]
    low, high = interval(ratios, median, seed)
    return Latency(
        load=label,
        threads=1,
        float_ms=float(np.median(pairs[:, 0])),
        quantized_ms=float(np.median(pairs[:, 1])),
        ratio=float(np.median(ratios)),
        ratio_low=low,
        ratio_high=high,
    )
