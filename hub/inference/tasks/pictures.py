"""Image parts as rows: checked by their headers, and passed on as they are."""

from __future__ import annotations

from collections.abc import Sequence

from hub.errors import Unprocessable
from hub.inference.messages import ImagePart, Part
from hub.inference.refusals import refused
from hub.inference.rows import Row, RowShapes, bytes_element
from registry.spec import image

SHAPES = RowShapes(((1,),))

PIXEL_DIGITS = 2
"""Decimals of a coordinate in pixels that are answered."""

SCORE_DIGITS = 6
"""Decimals of a score that are answered: what FP32 is sure of."""

MOST_PIXELS = 10 * image.MOST_PIXELS
"""Of all images of one request: they take a minute to decode and to resize."""

_REMEDY = 'Send {"type": "image", "data": …}, the file in base64.'


def encode(parts: Sequence[Part]) -> list[Row]:
    """A row for each image part. Raises `Unprocessable` for another part, and for what is no image or too large.

    Only headers are read here: pixels are decoded inside Triton, away from other tenants' requests.
    """
    rows: list[Row] = []
    left = MOST_PIXELS
    for position, part in enumerate(parts):
        where = f"input[{position}]"
        if not isinstance(part, ImagePart):
            raise Unprocessable("This model takes image parts.", param=where, reason="modality", remedy=_REMEDY)
        try:
            left -= image.pixels(part.data)
        except ValueError as error:
            raise refused(str(error), f"{where}.data") from error
        if left < 0:
            raise Unprocessable(
                f"The images have more than {MOST_PIXELS:,} pixels together.",
                param="input",
                reason="size",
                remedy="Send them in several requests.",
            )
        rows.append((bytes_element(part.data),))
    return rows
