"""Accuracy against the FP32 original, paired by text, with bootstrap intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from converters.request import AccuracyBudget
from converters.steps.bootstrap import interval, mean
from registry.spec.certificate import Metric
from registry.spec.embedding import compare


def judge(
    reference: NDArray[np.float32], candidate: NDArray[np.float32], budget: AccuracyBudget, seed: int
) -> list[Metric]:
    """The metrics of vectors FP32 [texts, dimensions] against the original's, means over the texts."""
    if not np.isfinite(candidate).all():
        candidate = np.zeros_like(candidate)  # vectors that are not numbers agree with nothing
    agreement = compare(reference, candidate)
    return [
        metric("cosine", agreement.cosine, budget.cosine, seed),
        metric("nearest_kept", agreement.nearest_kept, budget.nearest_kept, seed),
        metric("rank_correlation", np.nan_to_num(agreement.rank_correlation), budget.rank_correlation, seed),
    ]


def metric(name: str, values: NDArray[np.float64], minimum: float, seed: int) -> Metric:
    """The mean of one value per text; its 95 % interval is the percentiles of 1,000 resamples of the texts."""
    low, high = interval(values, mean, seed)
    return Metric(
        name=name, value=float(values.mean()), low=low, high=high, minimum=minimum, passed=bool(low >= minimum)
    )
