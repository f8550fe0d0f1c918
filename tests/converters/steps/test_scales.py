"""Ranges of activations: what each rule keeps and what it clips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters.steps.scales import Method, choose, rounded


def _values(outlier: float = 0.0) -> np.ndarray:
    values = np.random.default_rng(0).standard_normal(20_000).astype(np.float32)
    values[0] = outlier or values[0]
    return values


@given(st.sampled_from(list(Method)), st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=50))
@settings(max_examples=80, deadline=None)
def test_a_range_holds_zero_and_lies_within_the_extremes(method: Method, numbers: list[float]) -> None:
    values = np.array(numbers, dtype=np.float32)
    low, high = choose(method, float(values.min()), float(values.max()), values)
    assert min(float(values.min()), 0.0) <= low <= 0.0 <= high <= max(float(values.max()), 0.0)


def test_min_max_clips_nothing() -> None:
    values = _values(outlier=100.0)
    assert choose(Method.MINMAX, float(values.min()), 100.0, values) == (pytest.approx(float(values.min())), 100.0)


@pytest.mark.parametrize("method", [Method.PERCENTILE_3, Method.PERCENTILE_4, Method.ENTROPY])
def test_the_other_rules_clip_a_lone_outlier(method: Method) -> None:
    values = _values(outlier=100.0)
    low, high = choose(method, float(values.min()), 100.0, values)
    assert high < 50
    assert low < -1


@pytest.mark.parametrize("channels", [384, 768, 1536])
@pytest.mark.parametrize("method", [method for method in Method if method is not Method.MINMAX])
def test_no_channel_is_left_out(method: Method, channels: int) -> None:
    """Every fifteenth of 3.1 million values would be of every third channel, where three divides their number."""
    values = np.random.default_rng(0).standard_normal((4096 * 768 // channels, channels)).astype(np.float32)
    values[:, 1::3] *= 20
    low, high = choose(method, float(values.min()), float(values.max()), values)
    assert low < -20
    assert high > 20


def test_squared_error_is_never_worse_than_min_max() -> None:
    values = _values(outlier=30.0)
    extremes = float(values.min()), float(values.max())
    errors = {
        method: float(np.square(rounded(values, *choose(method, *extremes, values)) - values).sum())
        for method in (Method.MINMAX, Method.MSE)
    }
    assert errors[Method.MSE] <= errors[Method.MINMAX]


def test_rounding_is_at_most_half_a_step() -> None:
    values = np.linspace(-1, 3, 1001, dtype=np.float32)
    assert np.abs(rounded(values, -1.0, 3.0) - values).max() <= 4 / 255 / 2 + 1e-6
    assert rounded(np.zeros(1, np.float32), -0.37, 2.1)[0] == 0
