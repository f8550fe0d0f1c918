"""Detection: each image part is a row, its answer the boxes in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hub.inference.messages import Box, BoxesPart, Part
from hub.inference.resolver import Target
from hub.inference.rows import Answer, Row, RowShapes, floats, text_elements
from hub.inference.tasks import parameters as task_parameters
from hub.inference.tasks import pictures
from hub.inference.tasks.pictures import PIXEL_DIGITS, SCORE_DIGITS


class DetectionParameters(msgspec.Struct):
    """`threshold` leaves out boxes with a lower score; below the model's own least score there are none."""

    threshold: Annotated[float, Meta(ge=0, le=1)] = 0.0


def encode(parts: Sequence[Part], parameters: Mapping[str, Any], _target: Target) -> tuple[RowShapes, list[Row]]:
    """Rows of image parts. Raises `Unprocessable` for other parts and for what is no image."""
    task_parameters.read(parameters, DetectionParameters)
    return pictures.SHAPES, pictures.encode(parts)


def decode(answer: Answer, parameters: Mapping[str, Any], _target: Target) -> list[BoxesPart]:
    """One part an image."""
    threshold = task_parameters.read(parameters, DetectionParameters).threshold
    return [BoxesPart([box for box in _boxes(row) if box.score >= threshold]) for row in answer.rows]


def _boxes(row: Row) -> list[Box]:
    """The boxes of one row; it is filled up with empty labels."""
    corners, scores, labels = floats(row[0], PIXEL_DIGITS), floats(row[1], SCORE_DIGITS), text_elements(row[2])
    return [
        Box(corners[4 * index : 4 * index + 4], label, score)
        for index, (label, score) in enumerate(zip(labels, scores, strict=True))
        if label
    ]
