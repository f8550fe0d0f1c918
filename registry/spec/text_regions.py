"""From a map of how likely each pixel is text to the rectangles around its lines, in reading order.

The post-processing of DB, differentiable binarization (Liao et al., arXiv 1911.08947), as PaddleOCR configures it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from registry.spec.rectangles import Rectangle, mean_inside, regions, smallest_rectangle

_MOST_REGIONS = 1000  # as PaddleOCR: a page has at most some hundreds
_LEAST_SIDE = 3  # pixels of the map


@dataclass(frozen=True)
class RegionSettings:
    """`threshold` of a text pixel; `least_score`, a region's mean; `growth`, area × growth ÷ perimeter on each side.

    The network is trained to see lines shrunk by that much, so the rectangles grow back.
    """

    threshold: float = 0.3
    least_score: float = 0.6
    growth: float = 1.5


def find(likely: NDArray[np.float32], settings: RegionSettings) -> list[Rectangle]:
    """The rectangles around the lines in a map FP32 [height, width], in its pixels and in reading order."""
    found = []
    for points in regions(likely > settings.threshold)[:_MOST_REGIONS]:
        rectangle = smallest_rectangle(points)
        if min(rectangle.width, rectangle.height) < _LEAST_SIDE:
            continue
        if mean_inside(likely, rectangle) < settings.least_score:
            continue
        around = 2 * (rectangle.width + rectangle.height)
        found.append(rectangle.grown(rectangle.width * rectangle.height * settings.growth / around))
    return reading_order(found)


def reading_order(rectangles: list[Rectangle]) -> list[Rectangle]:
    """Line by line from the top, each from the left, along the direction that the rectangles have themselves.

    One belongs to a line where its middle is less than half a height from the line's first: a rectangle that moves by
    a pixel keeps its place.
    """
    if not rectangles:
        return []
    angle = common_angle(rectangles)
    cosine, sine = math.cos(angle), math.sin(angle)
    placed = [
        (r.centre[1] * cosine - r.centre[0] * sine, r.centre[0] * cosine + r.centre[1] * sine, r) for r in rectangles
    ]
    lines: list[list[tuple[float, float, Rectangle]]] = []
    for entry in sorted(placed, key=lambda entry: entry[0]):
        if lines and entry[0] - lines[-1][0][0] < min(entry[2].height, lines[-1][0][2].height) / 2:
            lines[-1].append(entry)
        else:
            lines.append([entry])
    return [entry[2] for line in lines for entry in sorted(line, key=lambda entry: entry[1])]


def common_angle(rectangles: list[Rectangle]) -> float:
    """The median angle of the rectangles in radians, weighted by nothing but that long ones only are asked."""
    longest = max(max(r.width, r.height) for r in rectangles)
    asked = [r for r in rectangles if r.width >= longest / 3] or rectangles
    return float(np.median([math.atan2(r.along[1], r.along[0]) for r in asked]))
