"""Which range of an activation the 256 levels cover: several rules, all from the statistics of one pass.

What lies outside is clipped, what lies inside is rounded; a range that is too wide rounds coarsely and one that is too
narrow clips outliers, on which transformers depend.
"""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

_LEVELS = 255
_MOST_VALUES = 200_000  # of a sample: enough for a quantile of 99.999 %, and 30 ranges are tried in 0.1 s
_SHRINKS = np.linspace(0.3, 1.0, 29)
_BINS = 2048
_HALF_LEVELS = 128


class Method(StrEnum):
    """How a range is chosen."""

    MINMAX = "min-max"
    PERCENTILE_5 = "percentile 99.999"
    PERCENTILE_4 = "percentile 99.99"
    PERCENTILE_3 = "percentile 99.9"
    ENTROPY = "entropy"
    MSE = "squared error"


_PERCENTILES = {Method.PERCENTILE_5: 99.999, Method.PERCENTILE_4: 99.99, Method.PERCENTILE_3: 99.9}


def choose(method: Method, low: float, high: float, values: NDArray[np.float32]) -> tuple[float, float]:
    """The range, 0 included, of an activation whose extremes are `low` and `high`; `values` [n, channels] are of it."""
    low, high = min(low, 0.0), max(high, 0.0)
    if method is Method.MINMAX or not values.size:
        return low, high
    drawn = _drawn(values)
    if method in _PERCENTILES:
        percent = _PERCENTILES[method]
        least, greatest = np.percentile(drawn, [100 - percent, percent])
        return max(low, min(float(least), 0.0)), min(high, max(float(greatest), 0.0))
    if method is Method.MSE:
        return _least_squares(low, high, drawn)
    threshold = _least_divergence(np.abs(drawn))
    return max(low, -threshold), min(high, threshold)


def _drawn(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """About 200,000 of the values. A step that shares a factor with the channels would never meet some of them."""
    step = max(1, values.size // _MOST_VALUES)
    while math.gcd(step, values.shape[-1]) > 1:
        step += 1
    return values.ravel()[::step]


def rounded(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    """`values` as 256 asymmetric levels over [low, high] give them back: what the x86 lowering computes with."""
    scale = max(high - low, 1e-8) / _LEVELS
    zero = np.clip(np.rint(-low / scale), 0, _LEVELS)
    levels = np.clip(np.rint(values / np.float32(scale)) + zero, 0, _LEVELS) - zero
    result: NDArray[np.float32] = (levels * np.float32(scale)).astype(np.float32)
    return result


def _least_squares(low: float, high: float, values: NDArray[np.float32]) -> tuple[float, float]:
    """The shrunken range whose quantization has the least squared error."""
    errors = [float(np.square(rounded(values, low * f, high * f) - values).sum()) for f in _SHRINKS]
    best = float(_SHRINKS[int(np.argmin(errors))])
    return low * best, high * best


def _least_divergence(magnitudes: NDArray[np.float32]) -> float:
    """The threshold whose clipped histogram of 2,048 bins loses least information in 128 levels.

    The Kullback-Leibler calibration of TensorRT (Migacz, 8-bit Inference with TensorRT, GTC 2017).
    """
    greatest = float(magnitudes.max(initial=0.0))
    if greatest == 0.0:
        return 0.0
    counts, edges = np.histogram(magnitudes, bins=_BINS, range=(0.0, greatest))
    best, threshold = np.inf, greatest
    for bins in range(_HALF_LEVELS, _BINS + 1, 16):
        divergence = _divergence(counts.astype(np.float64), bins)
        if divergence < best:
            best, threshold = divergence, float(edges[bins])
    return threshold


def _divergence(counts: NDArray[np.float64], bins: int) -> float:
    reference = counts[:bins].copy()
    kept = reference > 0
    reference[-1] += counts[bins:].sum()
    groups = np.arange(bins) * _HALF_LEVELS // bins
    totals = np.bincount(groups, counts[:bins], _HALF_LEVELS)
    filled = np.bincount(groups, kept, _HALF_LEVELS)
    candidate = np.where(kept, (totals / np.maximum(filled, 1))[groups], 0.0)
    p, q = reference / reference.sum(), candidate / max(candidate.sum(), 1e-12)
    present = p > 0
    return float((p[present] * np.log(p[present] / np.maximum(q[present], 1e-12))).sum())
