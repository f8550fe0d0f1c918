"""Confidence intervals by resampling (Efron, 1979): no assumption about how the values are distributed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 1000

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


def weighted_interval(values: NDArray[np.float64], weights: NDArray[np.float64], seed: int) -> tuple[float, float]:
    """The 95 % percentile interval of the weighted mean of `values` [values], samples drawn with their weights."""
    drawn = np.random.default_rng(seed).integers(0, len(values), (_RESAMPLES, len(values)))
    totals = np.maximum(weights[drawn].sum(axis=1), 1e-12)
    low, high = np.percentile((values * weights)[drawn].sum(axis=1) / totals, [2.5, 97.5])
    return float(low), float(high)
