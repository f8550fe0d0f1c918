"""An owner's images: PNG, JPEG, WebP and BMP in a zip."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from converters.samples.content import Content, content_of
from converters.samples.uploaded import Kind, Uploaded, check, choose, refuse
from converters.samples.uploaded_archive import Entry, entries
from registry.spec.image import MOST_PIXELS

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MOST_IMAGES = 512
_ALL_PIXELS = 2_000_000_000  # of all of them: about a minute of decoding
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
_REMEDY = "Upload a zip of PNG, JPEG, WebP or BMP images of at most 40 million pixels."


@dataclass(frozen=True)
class Image:
    """One image as it was uploaded, which decodes: `key` is the SHA-256 of its size and pixels."""

    encoded: bytes
    width: int
    height: int
    key: str

    def pixels(self) -> NDArray[np.uint8]:
        """UINT8 [height, width, 3], RGB, turned as its EXIF says."""
        return decode(self.encoded)


_KIND = Kind[Image]("images", MOST_IMAGES, lambda image: image.key, lambda image: len(image.encoded))


def images(path: Path, seed: int = 0) -> Uploaded[Image]:
    """The images in the zip, at most 512, no pixels twice. They stay encoded in memory. Raises SourceInvalid."""
    check(path, (".zip",), _KIND.what)
    with path.open("rb") as file:
        found = _enough(_read(path, entry) for entry in entries(file, path.name, seed))
        return choose(path, _KIND, found, seed)


def decode(encoded: bytes) -> NDArray[np.uint8]:
    """UINT8 [height, width, 3]. Raises ValueError for what is none of the formats, animated, damaged, or too large."""
    import PIL.Image
    import PIL.ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd EXIF and palettes are no reason to refuse an image
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)  # Pillow's own limit, which may be lower
            with PIL.Image.open(io.BytesIO(encoded), formats=_FORMATS) as picture:
                _check_size(picture)
                turned = PIL.ImageOps.exif_transpose(picture)
                return np.asarray(turned.convert("RGB"), dtype=np.uint8)
    except (PIL.Image.DecompressionBombError, Warning, OSError, SyntaxError, EOFError, LookupError, TypeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    except (struct.error, ArithmeticError, RuntimeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _check_size(picture: Picture) -> None:
    """Before a pixel is decoded: the header says how many there are."""
    if not 0 < picture.width * picture.height <= MOST_PIXELS:
        raise ValueError(f"{picture.width} × {picture.height} pixels")
    if picture.format in {"PNG", "WEBP"} and getattr(picture, "n_frames", 1) != 1:  # a JPEG's second is a thumbnail
        raise ValueError("an animation")


def _read(path: Path, entry: Entry) -> Image:
    kind = content_of(entry.content)
    if kind is not Content.IMAGE:
        refuse(path, f"holds {entry.name!r}, which is {kind}", _REMEDY)
    try:
        pixels = decode(entry.content)
    except ValueError:
        _refuse_image(path, entry.name)
    height, width, _ = pixels.shape
    digest = hashlib.sha256(f"{width} {height} ".encode() + pixels.tobytes()).hexdigest()
    return Image(entry.content, width, height, digest)


def _refuse_image(path: Path, name: str) -> NoReturn:
    refuse(path, f"holds {name!r}, an image that is damaged, animated or larger than {MOST_PIXELS:,} pixels", _REMEDY)


def _enough(found: Iterator[Image]) -> Iterator[Image]:
    """Images until there are enough of them: all of 10,000 would be decoded for nothing."""
    pixels = 0
    for count, image in enumerate(found, 1):
        pixels += image.width * image.height
        yield image
        if count >= MOST_IMAGES or pixels > _ALL_PIXELS:
            return
