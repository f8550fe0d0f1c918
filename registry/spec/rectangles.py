"""Connected regions of a mask, and the smallest rectangle around each; NumPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Rectangle:
    """A rectangle at any angle: centre (x, y), unit vector along its width, width and height (FP64)."""

    centre: NDArray[np.float64]
    along: NDArray[np.float64]
    width: float
    height: float

    def grown(self, by: float) -> Rectangle:
        """The same with each side moved outwards by `by`."""
        return Rectangle(self.centre, self.along, self.width + 2 * by, self.height + 2 * by)

    def corners(self) -> NDArray[np.float32]:
        """[4, 2]: upper left, upper right, lower right, lower left of what stands upright when `along` points right."""
        across = np.array([-self.along[1], self.along[0]])
        right, down = self.along * self.width / 2, across * self.height / 2
        points = [self.centre - right - down, self.centre + right - down]
        points += [self.centre + right + down, self.centre - right + down]
        return np.array(points, dtype=np.float32)


def regions(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """The regions of `mask` [height, width] that hang together, corners included (8-connected), from the top.

    Of each the ends of its runs, [2 × runs, 2] as (x, y): its convex hull is theirs. Runs of neighbouring rows are
    joined by label propagation with pointer jumping (Shiloach and Vishkin, 1982).
    """
    rows, starts, ends = _runs(mask)
    stride = mask.shape[1] + 2
    # Run j of the next row touches run i where its end is not before i's start - 1 and its start not after i's end + 1.
    first = np.searchsorted((rows * stride) + ends, (rows + 1) * stride + starts - 1, side="left")
    last = np.searchsorted((rows * stride) + starts, (rows + 1) * stride + ends + 1, side="right")
    counts = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(len(rows)), counts)
    lower = np.arange(len(upper)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
    labels = _joined(len(rows), upper, lower)
    order = np.argsort(labels, kind="stable")
    borders = np.flatnonzero(np.diff(labels[order])) + 1
    return [
        np.concatenate([np.stack([starts[part], rows[part]], 1), np.stack([ends[part], rows[part]], 1)]).astype(float)
        for part in np.split(order, borders)
        if len(part)
    ]


def smallest_rectangle(points: NDArray[np.float64]) -> Rectangle:
    """The rectangle of least area around `points` [n, 2]; `along` lies within 45° of the x axis, pointing right.

    One side of it lies on an edge of the convex hull (Freeman and Shapira, 1975), so each edge is tried.
    """
    hull = _hull(points)
    edges = np.roll(hull, -1, axis=0) - hull
    lengths = np.hypot(edges[:, 0], edges[:, 1])
    units = edges[lengths > 0] / lengths[lengths > 0, None] if (lengths > 0).any() else np.array([[1.0, 0.0]])
    normals = np.stack([-units[:, 1], units[:, 0]], axis=1)
    along, across = hull @ units.T, hull @ normals.T
    widths, heights = np.ptp(along, axis=0), np.ptp(across, axis=0)
    best = int(np.argmin(widths * heights))
    middle = (along[:, best].max() + along[:, best].min()) / 2 * units[best]
    middle = middle + (across[:, best].max() + across[:, best].min()) / 2 * normals[best]
    return _towards_right(middle, units[best], float(widths[best]), float(heights[best]))


def mean_inside(values: NDArray[np.float32], rectangle: Rectangle) -> float:
    """The mean of `values` [height, width] over the pixels whose centres lie in `rectangle`; 0 where there are none."""
    corners = rectangle.corners()
    limits = np.array([values.shape[1], values.shape[0]])
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, limits)
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 0, limits)
    x = np.arange(left, right)[None, :] - rectangle.centre[0]
    y = np.arange(top, bottom)[:, None] - rectangle.centre[1]
    along, across = rectangle.along
    inside = (np.abs(x * along + y * across) <= rectangle.width / 2 + 1e-6) & (
        np.abs(y * along - x * across) <= rectangle.height / 2 + 1e-6
    )
    return float(values[top:bottom, left:right][inside].mean()) if inside.any() else 0.0


def _runs(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Row, first and last column of every run of true pixels, in reading order."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), dtype=np.int8)
    padded[:, 1:-1] = mask
    steps = np.diff(padded, axis=1)
    rows, starts = np.nonzero(steps == 1)
    return rows, starts, np.nonzero(steps == -1)[1] - 1


def _joined(count: int, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each of `count` things the least index that it is connected with through the pairs of `a` and `b`."""
    labels = np.arange(count)
    while True:
        low = np.minimum(labels[a], labels[b])
        updated = labels.copy()
        for side in (labels[a], labels[b], a, b):
            np.minimum.at(updated, side, low)
        updated = updated[updated]
        if (updated == labels).all():
            return labels
        labels = updated


def _hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The corners of the convex hull in order (Andrew's monotone chain, 1979)."""
    unique = [tuple(point) for point in np.unique(points, axis=0)]
    if len(unique) < 3:
        return np.array(unique)
    lower, upper = _chain(unique), _chain(unique[::-1])
    return np.array(lower[:-1] + upper[:-1])


def _chain(points: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
    chain: list[tuple[float, ...]] = []
    for x, y in points:
        while len(chain) > 1:
            (ax, ay), (bx, by) = chain[-2], chain[-1]
            if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                break
            chain.pop()
        chain.append((x, y))
    return chain


def _towards_right(centre: NDArray[np.float64], along: NDArray[np.float64], width: float, height: float) -> Rectangle:
    if abs(along[0]) < abs(along[1]):
        along, width, height = np.array([-along[1], along[0]]), height, width
    return Rectangle(centre, along if along[0] > 0 else -along, width, height)
