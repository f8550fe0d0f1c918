"""The task `ocr`: a picture in, the lines of text in it out, billed by the picture.

Three graphs shaped like PP-OCR's: `det` finds lines (FP32 [1, 3, height, width] to how likely each pixel is text),
`cls` says which are upside down (and may be missing), `rec` reads a line (FP32 [rows, 3, 48, width] to the likelihood
of each character FP32 [rows, steps, characters], the first being CTC's blank). All three read BGR, as OpenCV does.
Signature: input `image` BYTES [1], an image file; outputs `text` BYTES [1], the lines in reading order, and `lines`
BYTES [-1], `scores` FP32 [-1] and `corners` FP32 [-1, 4, 2] of each line, behind one batch dimension.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from registry.spec.image import Image, channels_first, resize
from registry.spec.signature import DataType, Signature, TensorSpec
from registry.spec.task import Criterion, Modality, Task, Unit
from registry.spec.text_regions import RegionSettings

TASK = Task(
    name="ocr",
    title="Text in pictures",
    input=Modality.IMAGE,
    output=Modality.TEXT,
    units=(Unit("images", billed=True, meaning="pictures read"),),
    criteria=(
        # Without spaces, as PaddleOCR's own metric counts (RecMetric, ignore_space): PP-OCRv4 leaves most of them out
        # of English, and which ones changes when a line is cut out a little differently, in FP32 as well. With the same
        # bound on them nine tenths of the layers had to stay in float.
        Criterion(
            "character_error",
            "edit distance to the original's text ÷ its length, both without spaces",
            0.005,
            higher_is_better=False,
        ),
        Criterion("spaced_character_error", "the same with spaces", None, higher_is_better=False),
        Criterion("lines_equal", "lines of the original that are read the same, to the character", None),
        Criterion("boxes_matched", "lines of either that the other finds, too: IoU 0.5 or more", None),
    ),
)

LINE_HEIGHT = 48
_LEAST_WIDTH = 320  # what recognition was trained with; shorter lines are filled up with grey
_WIDTH_STEP = 64  # lines are filled up to a multiple: few shapes for the engine, little grey
_MOST_WIDTH = 3200  # of a line, in pixels at 48 high: 66 times as wide as high, some 250 characters
_DIRECTION_WIDTH = 192


def signature() -> Signature:
    """The public signature of every reader."""
    return Signature(
        inputs=(TensorSpec("image", DataType.BYTES, (1,)),),
        outputs=(
            TensorSpec("text", DataType.BYTES, (1,)),
            TensorSpec("lines", DataType.BYTES, (-1,)),
            TensorSpec("scores", DataType.FP32, (-1,)),
            TensorSpec("corners", DataType.FP32, (-1, 4, 2)),
        ),
    )


@dataclass(frozen=True)
class OcrSettings:
    """How the graphs are fed and read.

    `characters` is what the columns of `rec` mean, blank left out; `inputs` the graphs' only input by part. `side` caps
    the longer side of what `det` sees, in pixels; lines read with a mean likelihood below `least_score` are dropped;
    a picture's lines are turned where `cls` takes them for upside down with a mean likelihood above `least_turn`.
    """

    characters: tuple[str, ...]
    inputs: dict[str, str] = field(default_factory=lambda: {"det": "x", "cls": "x", "rec": "x"})
    side: int = 960
    regions: RegionSettings = field(default_factory=RegionSettings)
    least_score: float = 0.5
    least_turn: float = 0.5
    batch: int = 6


def page_input(image: Image, side: int) -> NDArray[np.float32]:
    """A picture as `det` reads it, FP32 [3, height, width]: sides are multiples of 32, the longer at most `side`."""
    scale = min(1.0, side / max(image.shape[:2]))
    height, width = (max(32, round(length * scale / 32) * 32) for length in image.shape[:2])
    return _normalized(resize(image, height, width))


def line_width(line: Image) -> int:
    """How wide a line becomes when it is 48 high, in pixels."""
    return min(_MOST_WIDTH, max(8, math.ceil(LINE_HEIGHT * line.shape[1] / line.shape[0])))


def padded_width(width: int) -> int:
    """The width that a line of `width` is filled up to: its own, so that no neighbour in a batch changes its text."""
    return max(_LEAST_WIDTH, -(-width // _WIDTH_STEP) * _WIDTH_STEP)


def line_input(line: Image, width: int | None = None) -> NDArray[np.float32]:
    """A cut-out line as `rec` reads it, FP32 [3, 48, width], filled up on the right with grey; None: not filled up."""
    pixels = _normalized(resize(line, LINE_HEIGHT, line_width(line)))
    return pixels if width is None else _filled(pixels, width)


def direction_input(line: Image) -> NDArray[np.float32]:
    """A cut-out line as `cls` reads it, FP32 [3, 48, 192]: its beginning, filled up with grey where it is short."""
    return _filled(_normalized(resize(line, LINE_HEIGHT, min(_DIRECTION_WIDTH, line_width(line)))), _DIRECTION_WIDTH)


def decode_line(likely: NDArray[np.float32], characters: tuple[str, ...]) -> tuple[str, float]:
    """The text in one row of `rec`'s output FP32 [steps, 1 + characters], and the mean likelihood of its characters.

    Greedy: the likeliest of each step, repeats merged, blanks left out (Graves et al., 2006).
    """
    best = likely.argmax(axis=1)
    kept = (best != 0) & (best != np.concatenate([[-1], best[:-1]]))
    if not kept.any():
        return "", 0.0
    text = "".join(characters[index - 1] for index in best[kept])
    return text, float(likely.max(axis=1)[kept].mean())


def _normalized(image: Image) -> NDArray[np.float32]:
    """RGB bytes as BGR from -1 to 1, channels first."""
    return channels_first((image[..., ::-1].astype(np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.5))


def _filled(pixels: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    canvas = np.zeros((3, pixels.shape[1], width), dtype=np.float32)
    canvas[:, :, : pixels.shape[2]] = pixels[:, :, :width]
    return canvas
