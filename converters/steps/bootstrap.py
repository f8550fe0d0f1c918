"""Confidence intervals by resampling (Efron, 1979): no assumption about how the values are distributed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 1000

CONFIDENCE = 0.95

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def median(resamples: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median of each resample [resamples, values]."""
    result: NDArray[np.float64] = np.median(resamples, axis=1)
    return result


def interval(values: NDArray[np.float64], statistic: Statistic, seed: int) -> tuple[float, float]:
    """The 95 % percentile interval of a statistic of `values` [values]."""
    drawn = np.random.default_rng(seed).integers(0, len(values), (_RESAMPLES, len(values)))
    low, high = np.percentile(statistic(values[drawn]), [2.5, 97.5])
    return float(low), float(high)


def weighted_interval(
    values: NDArray[np.float64], weights: NDArray[np.float64], seed: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """The percentile interval of the weighted mean of `values` [values], samples drawn with their weights.

    The smaller the tails, the more resamples are drawn: 25 of them lie in each.
    """
    rng = np.random.default_rng(seed)
    rounds = round((1 - CONFIDENCE) / (1 - confidence))
    means = np.concatenate([_resampled_means(values, weights, rng) for _ in range(rounds)])
    tail = 50 * (1 - confidence)
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


def _resampled_means(
    values: NDArray[np.float64], weights: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    drawn = rng.integers(0, len(values), (_RESAMPLES, len(values)))
    means: NDArray[np.float64] = (values * weights)[drawn].sum(axis=1) / np.maximum(weights[drawn].sum(axis=1), 1e-12)
    return means
