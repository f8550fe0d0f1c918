"""How far a graph's outputs are from the original's, whatever their size."""

from __future__ import annotations

import numpy as np
import pytest

from registry.spec.tensor import compare


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e200])
def test_outputs_of_any_size_are_compared(size: float) -> None:
    reference = np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0]]) * size
    outputs = np.array([[3.0, 4.0], [0.0, 1.0], [0.0, 0.0]]) * size
    found = compare([reference], [outputs])
    np.testing.assert_allclose(found.cosine, [1, 0, 1])
    np.testing.assert_allclose(found.relative_error, [0, np.sqrt(2), 0])
    np.testing.assert_allclose(found.max_error, [0, size, 0])


def test_opposite_ends_of_the_range_are_a_finite_distance_apart() -> None:
    greatest = np.finfo(np.float64).max
    found = compare([np.array([[greatest]])], [np.array([[-greatest]])])
    assert found.cosine[0] == pytest.approx(-1)
    assert np.isfinite([found.relative_error[0], found.max_error[0]]).all()


@pytest.mark.parametrize("outputs", [np.array([[np.nan, 1.0]]), np.array([[np.inf, 1.0]]), np.array([[1.0]])])
def test_what_is_no_number_or_of_another_shape_agrees_with_nothing(outputs: np.ndarray) -> None:
    found = compare([np.array([[2.0, 1.0]])], [outputs])
    assert found.cosine[0] == 0
    assert found.relative_error[0] == pytest.approx(1)
