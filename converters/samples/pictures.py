"""Pictures to calibrate with and to judge on: image files, as a caller sends them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from converters.samples.split import Part, split
from registry.spec.certificate import Data


@dataclass(frozen=True)
class Pictures:
    """Image files and where they come from."""

    files: tuple[bytes, ...]
    description: str

    def data(self) -> Data:
        """As the certificate names them."""
        digest = hashlib.sha256(b"".join(hashlib.sha256(file).digest() for file in self.files)).hexdigest()
        return Data(description=self.description, samples=len(self.files), sha256=digest)


def pictures(built_in: Callable[[Part], Pictures], own: Sequence[bytes] | None) -> dict[Part, Pictures]:
    """The pictures for each purpose: `built_in`, or the owner's.

    All purposes are the owner's where there are enough of them (see `converters.samples.split`); fewer only calibrate,
    and none of them is among the built-in ones that judge then: those are composed here, by seed, and lie nowhere.
    """
    if own is None:
        return {part: built_in(part) for part in Part}
    keys = [hashlib.sha256(file).hexdigest() for file in own]
    return {
        part: Pictures(tuple(own[position] for position in positions), "The owner's own pictures")
        if positions
        else built_in(part)
        for part, positions in split(keys).items()
    }


def random_for(part: Part, what: str, seed: int, index: int) -> np.random.Generator:
    """The random numbers of one picture: the same for the same seed, whatever else is made before it."""
    digest = hashlib.sha256(f"{part} {what} {seed} {index}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def relit(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Another brightness, contrast, saturation and tint."""
    picture = ImageEnhance.Brightness(picture).enhance(rng.uniform(0.65, 1.35))
    picture = ImageEnhance.Contrast(picture).enhance(rng.uniform(0.7, 1.3))
    picture = ImageEnhance.Color(picture).enhance(rng.uniform(0.5, 1.4))
    tint = rng.uniform(0.92, 1.08, 3)
    return picture.point([min(255, round(level * factor)) for factor in tint for level in range(256)])


def photographed(picture: Image.Image, rng: np.random.Generator, noise: float, blur: float, quality: int) -> bytes:
    """`picture` as a camera writes it: out of focus by up to `blur`, noisy by up to `noise`, JPEG from `quality`."""
    if rng.random() < 0.5:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, blur)))
    if rng.random() < 0.5:
        pixels = np.asarray(picture, dtype=np.float64)
        picture = Image.fromarray(_bytes(pixels + rng.normal(0, rng.uniform(0, noise), pixels.shape)))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=int(rng.integers(quality, 96)))
    return file.getvalue()


def _bytes(pixels: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
