import numpy as np
import pytest

from registry.spec.boxes import Boxes, agreement, match, overlap, score_drift, suppress


def boxes(*entries: tuple[list[float], float, int]) -> Boxes:
    corners, scores, classes = zip(*entries, strict=True) if entries else ((), (), ())
    return Boxes(
        np.array(corners, dtype=np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(classes, np.int64)
    )


def test_overlap_is_intersection_over_union() -> None:
    a = np.array([[0, 0, 10, 10]], dtype=np.float32)
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [2, 2, 4, 4], [9, 9, 3, 3]], dtype=np.float32)
    assert overlap(a, b)[0].tolist() == pytest.approx([1, 1 / 3, 0, 0.04, 0])


def test_suppression_keeps_the_surest_of_a_class_and_every_class() -> None:
    found = suppress(
        boxes(([0, 0, 10, 10], 0.5, 1), ([1, 0, 11, 10], 0.9, 1), ([0, 0, 10, 10], 0.4, 2), ([40, 0, 50, 10], 0.3, 1)),
        0.45,
    )
    assert list(zip(found.scores.tolist(), found.classes.tolist(), strict=True)) == [
        (pytest.approx(0.9), 1),
        (pytest.approx(0.4), 2),
        (pytest.approx(0.3), 1),
    ]


def test_a_suppressed_box_suppresses_nothing() -> None:
    chain = boxes(([0, 0, 10, 10], 0.9, 0), ([4, 0, 14, 10], 0.8, 0), ([8, 0, 18, 10], 0.7, 0))
    assert suppress(chain, 0.4).scores.tolist() == pytest.approx([0.9, 0.7])


def test_boxes_match_once_and_the_best_overlap_first() -> None:
    reference = boxes(([0, 0, 10, 10], 0.9, 0), ([3, 0, 13, 10], 0.8, 0))
    candidate = boxes(([2, 0, 12, 10], 0.9, 0))
    assert match(reference, candidate, 0.5).tolist() == [-1, 0]
    assert match(reference, boxes(([0, 0, 10, 10], 0.9, 1)), 0.5).tolist() == [-1, -1]
    assert match(boxes(), candidate, 0.5).tolist() == []


def test_missing_and_invented_boxes_both_cost() -> None:
    one, two = boxes(([0, 0, 10, 10], 0.9, 0)), boxes(([0, 0, 10, 10], 0.7, 0), ([50, 0, 60, 10], 0.6, 0))
    assert agreement(one, two, 0.5, 0.0) == agreement(two, one, 0.5, 0.0) == (pytest.approx(2 / 3), 3.0)
    assert agreement(one, one, 0.9, 0.0) == (1.0, 2.0)
    assert agreement(boxes(), one, 0.5, 0.0) == (0.0, 1.0)
    assert agreement(boxes(), boxes(), 0.5, 0.0) == (1.0, 0.0)


def test_drift_is_of_the_boxes_that_match() -> None:
    one, two = boxes(([0, 0, 10, 10], 0.9, 0)), boxes(([0, 0, 10, 10], 0.7, 0), ([50, 0, 60, 10], 0.1, 0))
    assert score_drift(one, two) == (pytest.approx(0.2), 1.0)
    assert score_drift(one, boxes()) == (0.0, 0.0)
