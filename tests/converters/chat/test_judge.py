from __future__ import annotations

import math

import numpy as np
import pytest

from converters.chat import judge
from registry.spec.certificate import Metric
from registry.spec.chat import Reading


def metrics(ratio: float, top1: float) -> list[Metric]:
    def metric(name: str, value: float, **bounds: float) -> Metric:
        return Metric(name=name, value=value, low=value, high=value, passed=True, **bounds)

    return [metric("perplexity_ratio", ratio, maximum=1.02), metric("top1_agreement", top1, minimum=0.95)]


@pytest.mark.parametrize(
    ("ratio", "top1", "used"),
    [(1.0, 1.0, 0.0), (0.98, 1.0, 0.0), (1.02, 1.0, 1.0), (1.02**2, 1.0, 2.0), (1.0, 0.975, 0.5), (1.0, 0.9, 2.0)],
)
def test_the_original_uses_nothing_of_the_budget_and_what_is_at_a_bound_all_of_it(
    ratio: float, top1: float, used: float
) -> None:
    assert judge.budget_used(metrics(ratio, top1)) == pytest.approx(used)


def test_what_is_judged_in_logarithms_is_shown_as_a_ratio() -> None:
    reading = Reading(np.full(10, 2.0), np.arange(10))
    worse = Reading(reading.surprise + math.log(1.01), reading.first)
    perplexity, top1 = judge.metrics(judge.figures([reading], [worse]), {"perplexity_ratio": 1.02}, seed=0)
    assert (perplexity.value, perplexity.maximum) == (pytest.approx(1.01), 1.02)
    assert perplexity.passed
    assert judge.budget_used([perplexity, top1]) == pytest.approx(math.log(1.01) / math.log(1.02))
