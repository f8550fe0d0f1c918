import math

import numpy as np
import pytest

from registry.spec.rectangles import Rectangle, mean_inside
from registry.spec.text_regions import RegionSettings, find, reading_order


def rectangle(x: float, y: float, degrees: float = 0, width: float = 60, height: float = 12) -> Rectangle:
    angle = math.radians(degrees)
    return Rectangle(np.array([x, y], dtype=float), np.array([math.cos(angle), math.sin(angle)]), width, height)


def drawn(*rectangles: Rectangle, likely: float = 0.9) -> np.ndarray:
    y, x = np.mgrid[0:160, 0:200]
    canvas = np.zeros((160, 200), dtype=np.float32)
    for one in rectangles:
        along = (x - one.centre[0]) * one.along[0] + (y - one.centre[1]) * one.along[1]
        across = (y - one.centre[1]) * one.along[0] - (x - one.centre[0]) * one.along[1]
        canvas[(np.abs(along) <= one.width / 2) & (np.abs(across) <= one.height / 2)] = likely
    return canvas


def test_drawn_lines_are_found_grown_and_in_reading_order() -> None:
    lines = [rectangle(50, 30), rectangle(140, 32), rectangle(60, 70)]
    found = find(drawn(*reversed(lines)), RegionSettings())
    assert len(found) == 3
    for line, one in zip(lines, found, strict=True):
        assert np.abs(line.centre - one.centre).max() < 1
        grown = line.width * line.height * 1.5 / (2 * (line.width + line.height))
        assert abs(one.height - line.height - 2 * grown) < 1.5
        assert abs(one.width - line.width - 2 * grown) < 1.5


def test_a_turned_line_is_found_at_its_angle() -> None:
    (found,) = find(drawn(rectangle(100, 80, degrees=20, width=90)), RegionSettings())
    assert abs(math.degrees(math.atan2(found.along[1], found.along[0])) - 20) < 2


def test_specks_and_unlikely_regions_are_no_lines() -> None:
    assert find(drawn(rectangle(50, 50, width=2, height=2)), RegionSettings()) == []
    assert find(drawn(rectangle(50, 50), likely=0.5), RegionSettings()) == []
    assert find(np.zeros((32, 32), dtype=np.float32), RegionSettings()) == []
    assert find(np.full((32, 32), np.nan, dtype=np.float32), RegionSettings()) == []


def test_the_order_follows_the_skew_of_the_page() -> None:
    slope = math.tan(math.radians(5))
    first, second = ([rectangle(x, top + slope * x, 5) for x in (40, 110, 180)] for top in (30, 44))
    assert reading_order([*second[::-1], *first[::-1]]) == [*first, *second]


def test_mean_inside_agrees_with_what_was_drawn() -> None:
    line = rectangle(100, 80, degrees=-12, width=90)
    assert mean_inside(drawn(line), line) == pytest.approx(0.9)
