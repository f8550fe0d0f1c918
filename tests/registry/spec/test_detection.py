from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from registry.spec.detection import TASK, DetectionSettings, Detector, decode, letterbox, signature
from registry.spec.session import Feeds
from registry.spec.signature import DataType

SETTINGS = DetectionSettings("images", "output0", 64, ("cat", "dog"))


def output(*places: tuple[float, ...]) -> np.ndarray:
    """[4 + 2 classes, places], filled up with places that are nothing."""
    return np.array([*places, (0, 0, 1, 1, 0.01, 0.02)], dtype=np.float32).T


def test_boxes_are_decoded_from_centres_and_the_likeliest_class() -> None:
    found = decode(output((32, 20, 10, 6, 0.1, 0.8), (10, 10, 4, 4, 0.3, 0.2), (11, 11, 4, 4, 0.24, 0)), SETTINGS)
    assert found.corners.tolist() == [[27, 17, 37, 23], [8, 8, 12, 12]]
    assert found.classes.tolist() == [1, 0]
    assert found.scores.tolist() == pytest.approx([0.8, 0.3])


def test_an_output_that_is_no_number_holds_no_boxes() -> None:
    assert len(decode(np.full((6, 5), np.nan, dtype=np.float32), SETTINGS)) == 0


def test_a_picture_keeps_its_proportions() -> None:
    square, scale = letterbox(np.full((100, 200, 3), 200, dtype=np.uint8), 64)
    assert scale == 0.32
    assert (square[:32] == 200).all()
    assert (square[32:] == 0).all()


class Seen:
    """A session that answers the bounds of what is not black, as a detector with one class would."""

    def run(self, outputs: Sequence[str] | None, feeds: Feeds) -> list[NDArray[Any]]:
        assert outputs == ["output0"]
        rows = []
        for row in feeds["images"]:
            y, x = np.nonzero(row.max(axis=0) > 0.5)
            low, high = np.array([x.min(), y.min()]), np.array([x.max() + 1, y.max() + 1])
            rows.append(output((*((low + high) / 2), *(high - low), 0.9, 0.0)))
        return [np.stack(rows)]


def test_boxes_come_back_in_pixels_of_the_picture() -> None:
    images = [np.zeros((128, 256, 3), dtype=np.uint8), np.zeros((32, 16, 3), dtype=np.uint8)]
    images[0][16:80, 100:200] = 255
    images[1][8:, 4:] = 255
    wide, tall = Detector(Seen(), SETTINGS).detect(images)
    assert wide.corners[0].tolist() == [100, 16, 200, 80]
    assert tall.corners[0].tolist() == pytest.approx([4, 8, 16, 32], abs=0.5)
    assert tall.corners.max() <= 32


def test_the_task_is_judged_by_boxes_and_billed_by_the_picture() -> None:
    assert [(criterion.name, criterion.bound) for criterion in TASK.criteria] == [
        ("matched_50", 0.98),
        ("matched_90", 0.9),
        ("matched_strict", None),
        ("score_drift", None),
    ]
    assert TASK.billed_units == ("images",)
    assert signature().inputs[0].datatype is DataType.BYTES
