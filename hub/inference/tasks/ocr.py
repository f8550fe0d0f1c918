"""OCR: each image part is a row, its answer the lines of text in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.inference.messages import Line, LinesPart, Part
from hub.inference.resolver import Target
from hub.inference.rows import Answer, Row, RowShapes, floats, text_elements
from hub.inference.tasks import pictures
from hub.inference.tasks.parameters import refuse_unknown
from hub.inference.tasks.pictures import PIXEL_DIGITS, SCORE_DIGITS

_CORNERS = 4


def encode(parts: Sequence[Part], parameters: Mapping[str, Any], _target: Target) -> tuple[RowShapes, list[Row]]:
    """Rows of image parts. Raises `Unprocessable` for other parts and for what is no image."""
    refuse_unknown(parameters, ())
    return pictures.SHAPES, pictures.encode(parts)


def decode(answer: Answer, _parameters: Mapping[str, Any], _target: Target) -> list[LinesPart]:
    """One part an image."""
    return [_lines(row) for row in answer.rows]


def _lines(row: Row) -> LinesPart:
    """The lines of one row; it is filled up with empty ones."""
    (text,), lines, scores = text_elements(row[0]), text_elements(row[1]), floats(row[2], SCORE_DIGITS)
    values = iter(floats(row[3], PIXEL_DIGITS))
    points = [list(point) for point in zip(values, values, strict=True)]
    return LinesPart(
        text,
        [
            Line(line, score, points[_CORNERS * index : _CORNERS * (index + 1)])
            for index, (line, score) in enumerate(zip(lines, scores, strict=True))
            if line
        ],
    )
