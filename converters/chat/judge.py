"""A candidate's readings against the original's, as the certificate has them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from converters.steps import accuracy
from converters.steps.bootstrap import CONFIDENCE
from converters.subject import Figure
from registry.spec.certificate import Metric
from registry.spec.chat import TASK, Reading, compare

_PERPLEXITY = "perplexity_ratio"
_WORST = 50.0  # nats a token: a decoder whose logits are not numbers is no better than any other of no use


def figures(reference: Sequence[Reading], candidate: Sequence[Reading]) -> list[Figure]:
    """The criteria of the task, a value a text. That of the perplexity is the logarithm of its ratio."""
    agreement = compare(reference, candidate)
    loss = np.nan_to_num(agreement.loss, nan=_WORST, posinf=_WORST)
    return [
        Figure(_PERPLEXITY, np.clip(loss, -_WORST, _WORST), agreement.tokens),
        Figure("top1_agreement", agreement.top1, agreement.tokens),
    ]


def metrics(
    found: Sequence[Figure], limits: Mapping[str, float], seed: int, confidence: float = CONFIDENCE
) -> list[Metric]:
    """The metrics of `figures`, within `limits` by name; texts are resampled, and exp is taken of their mean."""
    logarithms = {**limits, **({_PERPLEXITY: math.log(limits[_PERPLEXITY])} if _PERPLEXITY in limits else {})}
    return [
        _exponential(metric) if metric.name == _PERPLEXITY else metric
        for metric in accuracy.metrics(found, TASK.criteria, logarithms, seed, confidence)
    ]


def budget_used(found: Sequence[Metric]) -> float:
    """The share of the accuracy budget that the worst of `metrics` uses: 0 is FP32 itself, above 1 fails.

    Of the perplexity's ratio, which is 1 for FP32, it is that of the logarithms.
    """
    return accuracy.budget_used(
        [_logarithm(metric) if metric.name == _PERPLEXITY else metric for metric in found], TASK.criteria
    )


def _logarithm(metric: Metric) -> Metric:
    exact = {name: math.log(getattr(metric, name)) for name in ("value", "low", "high")}
    return metric.model_copy(update={**exact, "maximum": None if metric.maximum is None else math.log(metric.maximum)})


def _exponential(metric: Metric) -> Metric:
    """A metric of the logarithm as one of the ratio. It keeps the order, so what passed still passes."""
    exact = {name: math.exp(getattr(metric, name)) for name in ("value", "low", "high")}
    maximum = None if metric.maximum is None else round(math.exp(metric.maximum), 12)
    return metric.model_copy(update={**exact, "maximum": maximum})
