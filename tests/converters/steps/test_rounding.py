"""Rounding that makes up for its own errors, against rounding to nearest."""

from __future__ import annotations

import numpy as np

from converters.steps import blocked
from converters.steps.canonical import levels_and_scales
from converters.steps.rounding import compensated


def _correlated(rows: int, channels: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(7).standard_normal((channels // 4, channels))
    return (rng.standard_normal((rows, channels // 4)) @ mixing).astype(np.float32)


def test_the_product_changes_less_than_by_rounding_to_nearest() -> None:
    matrix = np.random.default_rng(1).standard_normal((64, 32)).astype(np.float32)
    unseen = _correlated(500, 64, 2)
    nearest, scales = levels_and_scales(matrix, 1)
    found = compensated(matrix, _correlated(2000, 64, 3))
    errors = [
        np.square(unseen @ (levels * steps) - unseen @ matrix).sum()
        for levels, steps in ((nearest, scales), (found.levels, found.scales))
    ]
    assert errors[1] < 0.5 * errors[0]


def test_blocks_of_inputs_with_scales_of_their_own_change_it_less_still() -> None:
    matrix = np.random.default_rng(1).standard_normal((192, 32)).astype(np.float32)
    matrix[:64] *= 10
    unseen = _correlated(500, 192, 2)
    found = [compensated(matrix, _correlated(2000, 192, 3), blocks=count) for count in (1, blocked.blocks(192))]
    errors = [np.square(unseen @ blocked.widened(weights, 1) - unseen @ matrix).sum() for weights in found]
    assert found[1].scales.shape == (32, 3)
    assert errors[1] < 0.5 * errors[0]


def test_levels_stay_within_bounds_and_are_the_same_again() -> None:
    matrix = np.random.default_rng(1).standard_normal((40, 8)).astype(np.float32)
    inputs = _correlated(100, 40, 3)
    first, second = compensated(matrix, inputs), compensated(matrix, inputs)
    assert first.levels.dtype == np.int8
    assert np.abs(first.levels.astype(int)).max() <= 127
    np.testing.assert_array_equal(first.levels, second.levels)


def test_channels_that_no_sample_used_are_rounded_to_nearest() -> None:
    matrix = np.random.default_rng(1).standard_normal((16, 8)).astype(np.float32)
    inputs = _correlated(100, 16, 3)
    inputs[:, 5] = 0
    found = compensated(matrix, inputs)
    assert np.isfinite(found.scales).all()
    np.testing.assert_array_equal(found.levels[5], levels_and_scales(matrix, 1)[0][5])
    product = inputs @ (found.levels * found.scales)
    assert np.corrcoef(product.ravel(), (inputs @ matrix).ravel())[0, 1] > 0.999
