"""Pictures as arrays: decode, resize, cut out. UINT8 [height, width, 3] in RGB throughout, NumPy only but for decoding.

The same code prepares a picture for the certificate and inside Triton, where neither OpenCV nor SciPy is.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MOST_PIXELS = 40_000_000
"""A picture with more is refused before it is decoded: 120 MB in memory, and more than any camera in use gives."""

Image = NDArray[np.uint8]

_MOST_SIDE = 20_000  # of pixels; what is resized takes memory by its longer side, too
_SMALLER = "Send one of at most 40 megapixels, no side longer than 20,000."
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
# Warnings are errors in tests only. The others are what Pillow's readers raise at files that were made to.
_DAMAGE = (Warning, OSError, SyntaxError, EOFError, LookupError, TypeError, struct.error, ArithmeticError, RuntimeError)


def decode(content: bytes) -> Image:
    """The picture in a JPEG, PNG, WebP or BMP file, upright as its EXIF says.

    Raises ValueError, with sentences for the person who sent it, for what is no such picture, damaged, animated or too
    large; how large it is, is read in the header before anything is decoded.
    """
    from PIL import ImageOps

    with _opened(content) as picture:
        return np.array(ImageOps.exif_transpose(picture).convert("RGB"), dtype=np.uint8)


def pixels(content: bytes) -> int:
    """How many pixels the picture in an image file has, by its header alone. Raises ValueError as `decode` does."""
    with _opened(content) as picture:
        return picture.width * picture.height


@contextmanager
def _opened(content: bytes) -> Iterator[Picture]:
    """The picture with its header read. Raises ValueError, also for what its bytes make Pillow raise inside."""
    import PIL.Image

    try:
        with PIL.Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
            _check(picture)
            yield picture
    except PIL.Image.DecompressionBombError as error:
        raise ValueError(f"The picture has more than {MOST_PIXELS:,} pixels. {_SMALLER}") from error
    except _DAMAGE as error:
        raise ValueError("The bytes are not a picture that can be read. Send a whole JPEG, PNG or WebP.") from error


def _check(picture: Picture) -> None:
    width, height = picture.size
    if width * height > MOST_PIXELS or max(width, height) > _MOST_SIDE:
        raise ValueError(f"The picture has {width} × {height} pixels. {_SMALLER}")
    if picture.format in {"PNG", "WEBP"} and getattr(picture, "n_frames", 1) != 1:  # a JPEG's second is a thumbnail
        raise ValueError("The picture is an animation. Send one of its frames.")


def resize(image: Image, height: int, width: int) -> Image:
    """`image` in another size, bilinear; shrinking averages over what becomes one pixel, as Pillow's BILINEAR does."""
    pixels = _resample(image.astype(np.float32), height)
    pixels = _resample(pixels.transpose(1, 0, 2), width).transpose(1, 0, 2)
    return _to_bytes(pixels)


def pad_to(image: Image, height: int, width: int) -> Image:
    """`image` in the upper left of a black picture of the given size."""
    canvas = np.zeros((height, width, 3), dtype=np.uint8)
    canvas[: image.shape[0], : image.shape[1]] = image
    return canvas


def cut_out(image: Image, corners: NDArray[np.float32]) -> Image:
    """The rectangle with `corners` [4, 2] (x, y; upper left, upper right, lower right, lower left), made upright.

    Bilinear, one pixel for a pixel; what lies outside of `image` repeats its edge.
    """
    origin, across, down = corners[0], corners[1] - corners[0], corners[3] - corners[0]
    width = max(1, round(float(np.hypot(*across))))
    height = max(1, round(float(np.hypot(*down))))
    columns = ((np.arange(width, dtype=np.float32) + 0.5) / width)[None, :, None]
    rows = ((np.arange(height, dtype=np.float32) + 0.5) / height)[:, None, None]
    return _to_bytes(_bilinear(image, origin + columns * across + rows * down - 0.5))


def channels_first(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """[height, width, channels] as [channels, height, width], contiguous."""
    return np.ascontiguousarray(image.transpose(2, 0, 1))


def _resample(pixels: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """`pixels` [n, …] along their first axis to `size` by a triangle as wide as one new pixel, at least one old."""
    length = len(pixels)
    if length == size:
        return pixels
    scale = length / size
    support = max(scale, 1.0)
    centres = (np.arange(size) + 0.5) * scale
    first = np.floor(centres - support).astype(np.int64)
    taps = first[:, None] + np.arange(int(np.ceil(2 * support)) + 1)
    weights = np.maximum(0, 1 - np.abs(taps + 0.5 - centres[:, None]) / support)
    weights[(taps < 0) | (taps >= length)] = 0
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    taps = taps.clip(0, length - 1)
    result = np.zeros((size, *pixels.shape[1:]), dtype=np.float32)
    for tap in range(taps.shape[1]):
        result += weights[:, tap, None, None] * pixels[taps[:, tap]]
    return result


def _bilinear(image: Image, points: NDArray[np.float32]) -> NDArray[np.float32]:
    """The colours at `points` [height, width, 2] (x, y), pixel centres being whole numbers."""
    limits = np.array([image.shape[1] - 1, image.shape[0] - 1])
    low = np.floor(points).astype(np.int64)
    part = (points - low).astype(np.float32)
    (left, top), (right, bottom) = (np.moveaxis(p.clip(0, limits), -1, 0) for p in (low, low + 1))
    x, y = part[..., :1], part[..., 1:]
    upper = image[top, left] * (1 - x) + image[top, right] * x
    lower = image[bottom, left] * (1 - x) + image[bottom, right] * x
    mixed: NDArray[np.float32] = upper * (1 - y) + lower * y
    return mixed


def _to_bytes(pixels: NDArray[np.float32]) -> Image:
    return np.ascontiguousarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
