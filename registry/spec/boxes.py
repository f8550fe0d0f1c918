"""Boxes in pictures: overlap, non-maximum suppression, and how far two sets of boxes agree.

Boxes are FP32 [boxes, 4] as x1, y1, x2, y2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Boxes:
    """What was found in one picture, the surest first: corners FP32 [n, 4], scores FP32 [n], classes INT64 [n]."""

    corners: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.scores)


def overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of each box of `a` [n, 4] with each of `b` [m, 4], FP32 [n, m]."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    union = _areas(a)[:, None] + _areas(b)[None, :] - shared
    result: NDArray[np.float32] = (shared / np.maximum(union, 1e-9)).astype(np.float32)
    return result


def suppress(boxes: Boxes, most_overlap: float) -> Boxes:
    """`boxes` without those that overlap a surer one of their class by more than `most_overlap` (greedy)."""
    order = np.argsort(-boxes.scores, kind="stable")
    corners, classes = boxes.corners[order], boxes.classes[order]
    rivals = (overlap(corners, corners) > most_overlap) & (classes[:, None] == classes[None, :])
    kept = np.ones(len(order), dtype=bool)
    for index in range(len(order)):
        if kept[index]:
            kept[index + 1 :] &= ~rivals[index, index + 1 :]
    return Boxes(corners[kept], boxes.scores[order][kept], classes[kept])


def match(reference: Boxes, candidate: Boxes, least_overlap: float) -> NDArray[np.int64]:
    """For each reference box the index of the candidate box that is taken for it, or -1: INT64 [reference boxes].

    Both must be of one class and overlap by `least_overlap` or more. The best overlaps are taken first, each box once.
    """
    found = np.full(len(reference), -1, dtype=np.int64)
    overlaps = overlap(reference.corners, candidate.corners)
    overlaps[reference.classes[:, None] != candidate.classes[None, :]] = 0
    rows, columns = np.nonzero(overlaps >= least_overlap)
    taken: set[int] = set()
    for pair in np.argsort(-overlaps[rows, columns], kind="stable"):
        row, column = int(rows[pair]), int(columns[pair])
        if found[row] < 0 and column not in taken:
            found[row] = column
            taken.add(column)
    return found


def above(boxes: Boxes, least_score: float) -> Boxes:
    """The boxes with that score or more."""
    kept = boxes.scores >= least_score
    return Boxes(boxes.corners[kept], boxes.scores[kept], boxes.classes[kept])


def agreement(reference: Boxes, candidate: Boxes, least_overlap: float, least_score: float) -> tuple[float, float]:
    """The share of both sets' boxes of `least_score` or more that the other has too, and how many boxes that is about.

    A box that only one of them has counts against the candidate, whichever has it. The other's box may have any score
    that is in the set: where 0.26 became 0.24 the box is there, and how far its score moved is `score_drift`.
    """
    pairs = ((reference, candidate), (candidate, reference))
    found = [match(above(one, least_score), other, least_overlap) >= 0 for one, other in pairs]
    total = sum(map(len, found))
    return (sum(int(matched.sum()) for matched in found) / total if total else 1.0), float(total)


def score_drift(reference: Boxes, candidate: Boxes) -> tuple[float, float]:
    """The mean absolute difference of the scores of boxes that match at an overlap of 0.5, and their number."""
    found = match(reference, candidate, 0.5)
    pairs = found >= 0
    if not pairs.any():
        return 0.0, 0.0
    drift = np.abs(reference.scores[pairs] - candidate.scores[found[pairs]])
    return float(drift.mean()), float(pairs.sum())


def _areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    sides: NDArray[np.float32] = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return sides[:, 0] * sides[:, 1]
