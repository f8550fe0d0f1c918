"""A task's figures against the FP32 original, with bootstrap intervals and the bounds that a budget sets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from converters.errors import SourceInvalid
from converters.steps.bootstrap import CONFIDENCE, weighted_interval
from converters.subject import Figure
from registry.spec.certificate import Metric
from registry.spec.task import Criterion, Task

Bounds = Mapping[str, float]
"""The bound of each criterion that has one, by name."""


def bounds(task: Task, budget: Mapping[str, float]) -> dict[str, float]:
    """The task's bounds with those of the owner's `budget` in their place.

    Raises SourceInvalid for a criterion that the task does not have, and for a bound that says nothing.
    """
    unknown = sorted(set(budget) - {criterion.name for criterion in task.criteria})
    if unknown:
        known = ", ".join(criterion.name for criterion in task.criteria)
        raise SourceInvalid(
            f"The task {task.name} is not judged by {unknown[0][:50]!r}.", f"Its criteria are: {known or 'none'}."
        )
    for name, bound in budget.items():
        _check_bound(name, bound)
    defaults = {criterion.name: criterion.bound for criterion in task.criteria if criterion.bound is not None}
    return {**defaults, **budget}


def _check_bound(name: str, bound: float) -> None:
    """Every figure of a task is 0 or more; one that is a ratio is more than 0, and is judged by its logarithm."""
    ratio = name.endswith("_ratio")
    if not math.isfinite(bound) or bound < 0 or (ratio and bound == 0):
        raise SourceInvalid(
            f"The bound of {name} is {bound:g}, which no model can be held to.",
            f"Give a number {'above 0' if ratio else 'that is 0 or more'}.",
        )


def confidence_after(earlier: int) -> float:
    """What is asked of a candidate when `earlier` others have been judged on the same held-out data.

    Whoever tries often enough passes once by chance. Each interval may miss half as often as the one before it, so
    that all of them together miss a bound at most twice as often as the first (Bonferroni's inequality).
    """
    return 1 - (1 - CONFIDENCE) * 0.5**earlier


def metrics(
    figures: Sequence[Figure],
    criteria: Sequence[Criterion],
    limits: Bounds,
    seed: int,
    confidence: float = CONFIDENCE,
) -> list[Metric]:
    """Each figure as the certificate has it, in the order of the task's criteria."""
    by_name = {figure.name: figure for figure in figures}
    return [
        _metric(by_name[criterion.name], criterion, limits.get(criterion.name), seed, confidence)
        for criterion in criteria
    ]


def _metric(figure: Figure, criterion: Criterion, bound: float | None, seed: int, confidence: float) -> Metric:
    """The weighted mean over the samples; its interval is percentiles of resamples of them."""
    values = np.asarray(figure.values, dtype=np.float64)
    weights = np.ones_like(values) if figure.weights is None else np.asarray(figure.weights, dtype=np.float64)
    value = float((values * weights).sum() / weights.sum())
    low, high = weighted_interval(values, weights, seed, confidence)
    higher = criterion.higher_is_better
    passed = bound is None or (low >= bound if higher else high <= bound)
    return Metric(
        name=figure.name,
        value=value,
        low=low,
        high=high,
        confidence=confidence,
        minimum=bound if higher else None,
        maximum=None if higher else bound,
        passed=bool(passed),
    )


def budget_used(found: Sequence[Metric], criteria: Sequence[Criterion]) -> float:
    """The share of the accuracy budget that is used by the worst criterion: 0 is FP32 itself, above 1 fails.

    What counts is the end of the interval that the bound is for. A bound that leaves no budget is used up by any
    difference at all.
    """
    higher = {criterion.name: criterion.higher_is_better for criterion in criteria}
    shares = [0.0]
    for metric in found:
        if higher[metric.name] and metric.minimum is not None:
            shares.append(max(0.0, 1 - metric.low) / max(1 - metric.minimum, 1e-9))
        elif metric.maximum is not None:
            shares.append(max(0.0, metric.high) / max(metric.maximum, 1e-9))
    return max(shares)
