import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from registry.spec.rectangles import Rectangle, mean_inside, regions, smallest_rectangle

MASKS = arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def flooded(mask: np.ndarray) -> set[frozenset[tuple[int, int]]]:
    """The 8-connected regions by flooding, the plain way."""
    left = {(int(x), int(y)) for y, x in zip(*np.nonzero(mask), strict=True)}
    found = set()
    while left:
        front, region = [left.pop()], set()
        while front:
            x, y = front.pop()
            region.add((x, y))
            near = {(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)} & left
            left -= near
            front += near
        found.add(frozenset(region))
    return found


@given(MASKS)
def test_regions_are_those_that_flooding_finds(mask: np.ndarray) -> None:
    found = regions(mask)
    expected = flooded(mask)
    assert len(found) == len(expected)
    for points in found:
        region = next(one for one in expected if tuple(points[0].astype(int)) in one)
        assert {tuple(point) for point in points.astype(int)} <= region
        low, high = np.array(sorted(region)).min(axis=0), np.array(sorted(region)).max(axis=0)
        assert (points.min(axis=0) == low).all()
        assert (points.max(axis=0) == high).all()


@given(st.floats(-40, 40), st.floats(20, 90), st.floats(2, 15))
def test_the_smallest_rectangle_finds_a_turned_one(degrees: float, width: float, height: float) -> None:
    angle = math.radians(degrees)
    given_one = Rectangle(np.array([50.0, 60.0]), np.array([math.cos(angle), math.sin(angle)]), width, height)
    inner = np.array([[50.0, 60.0]])
    found = smallest_rectangle(np.concatenate([given_one.corners().astype(float), inner]))
    np.testing.assert_allclose(found.corners(), given_one.corners(), atol=1e-3)


@given(arrays.arrays(np.int64, st.tuples(st.integers(1, 20), st.just(2)), elements=st.integers(-9, 9)))
def test_the_smallest_rectangle_holds_every_point_and_points_right(points: np.ndarray) -> None:
    found = smallest_rectangle(points.astype(float))
    assert found.along[0] >= abs(found.along[1]) - 1e-9
    offset = points - found.centre
    assert (np.abs(offset @ found.along) <= found.width / 2 + 1e-6).all()
    assert (np.abs(offset @ [-found.along[1], found.along[0]]) <= found.height / 2 + 1e-6).all()
    extent = np.ptp(points, axis=0)
    assert found.width * found.height <= extent[0] * extent[1] + 1e-6


def test_the_mean_is_of_the_pixels_inside() -> None:
    values = np.zeros((20, 20), dtype=np.float32)
    values[5:8, 4:12] = 1
    inside = Rectangle(np.array([7.5, 6.0]), np.array([1.0, 0.0]), 7, 2)
    assert mean_inside(values, inside) == 1
    assert mean_inside(values, inside.grown(1)) == pytest.approx(24 / 50)
    assert mean_inside(values, Rectangle(np.array([90.0, 90.0]), np.array([1.0, 0.0]), 5, 5)) == 0
