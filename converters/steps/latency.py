"""How long a batch takes quantized and in float, measured in turns so that a busy machine disturbs both alike."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from converters.steps.batches import feeds
from converters.steps.bootstrap import interval, median
from registry.spec.certificate import Latency
from registry.spec.session import open_session
from registry.spec.text import Tokens

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

SHAPES = ((1, 32), (8, 32), (8, 128))
"""Rows and tokens of the batches measured."""

_PAIRS = 15
_SECONDS = 4.0  # a shape stops taking pairs after this long, but not before the fifth
_LEAST_PAIRS = 5


def measure(
    floating: Path, quantized: Path, inputs: Sequence[str], max_tokens: int, *, exact_x86: bool, seed: int
) -> list[Latency]:
    """Latencies of two text encoders with the same `inputs`, on one thread, for each shape the model can take."""
    slow = open_session(floating, 1, exact_x86=False)
    fast = open_session(quantized, 1, exact_x86=exact_x86)
    rng = np.random.default_rng(seed)
    results = []
    for rows, tokens in SHAPES:
        if tokens <= max_tokens:
            # Which tokens does not matter for the time; small ids exist in every vocabulary.
            texts = [Tokens(rng.integers(1, 20, tokens).tolist(), 0) for _ in range(rows)]
            pairs = _pairs(slow, fast, feeds(texts, inputs))
            results.append(_latency(pairs, rows, tokens, seed))
    return results


def _pairs(
    slow: InferenceSession, fast: InferenceSession, batch: Mapping[str, NDArray[np.int64]]
) -> NDArray[np.float64]:
    """Milliseconds [pairs, (float, quantized)]; who goes first alternates."""
    for session in (slow, fast, slow, fast):  # the first runs allocate
        session.run(None, batch)
    pairs: list[tuple[float, float]] = []
    started = time.monotonic()
    while len(pairs) < _PAIRS and (len(pairs) < _LEAST_PAIRS or time.monotonic() - started < _SECONDS):
        if len(pairs) % 2:
            quantized_ms, float_ms = _milliseconds(fast, batch), _milliseconds(slow, batch)
        else:
            float_ms, quantized_ms = _milliseconds(slow, batch), _milliseconds(fast, batch)
        pairs.append((float_ms, quantized_ms))
    return np.array(pairs)


def _milliseconds(session: InferenceSession, batch: Mapping[str, NDArray[np.int64]]) -> float:
    started = time.perf_counter()
    session.run(None, batch)
    return (time.perf_counter() - started) * 1000


def _latency(pairs: NDArray[np.float64], rows: int, tokens: int, seed: int) -> Latency:
    ratios = pairs[:, 1] / pairs[:, 0]
    low, high = interval(ratios, median, seed)
    return Latency(
        rows=rows,
        tokens=tokens,
        threads=1,
        float_ms=float(np.median(pairs[:, 0])),
        quantized_ms=float(np.median(pairs[:, 1])),
        ratio=float(np.median(ratios)),
        ratio_low=low,
        ratio_high=high,
    )
