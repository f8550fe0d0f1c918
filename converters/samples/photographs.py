"""Scenes for detectors: the photographs inside scikit-image, scikit-learn and Matplotlib, recomposed.

There are few of them, so each is cropped, scaled, flipped and relit many times, and small portraits are set into it.
A photograph is in one part of the data only; both views of the stereo pair are in the same.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from converters.errors import ConversionFailed
from converters.samples.pictures import Pictures, photographed, random_for, relit
from converters.samples.split import Part

_SKIMAGE, _SKLEARN, _MATPLOTLIB = "skimage/data", "sklearn/datasets/images", "matplotlib/mpl-data/sample_data"
_FACES = "skimage/data/lfw_subset.npy"  # 100 faces and 100 others, 25 × 25, grey
_PEOPLE = {
    Part.CALIBRATION: f"{_MATPLOTLIB}/grace_hopper.jpg",
    Part.SELECTION: f"{_SKIMAGE}/camera.png",
    Part.HELD_OUT: f"{_SKIMAGE}/astronaut.png",
}
_PLACES = {
    Part.CALIBRATION: (
        *(f"{_SKIMAGE}/{name}" for name in ("coffee.png", "motorcycle_left.png", "motorcycle_right.png", "brick.png")),
        f"{_SKIMAGE}/retina.jpg",
    ),
    Part.SELECTION: tuple(f"{_SKIMAGE}/{name}" for name in ("rocket.jpg", "chelsea.png", "gravel.png", "moon.png")),
    Part.HELD_OUT: (
        *(f"{_SKLEARN}/{name}" for name in ("china.jpg", "flower.jpg")),
        *(f"{_SKIMAGE}/{name}" for name in ("hubble_deep_field.jpg", "coins.png", "grass.png", "ihc.png")),
    ),
}
_SIZES = ((320, 320), (400, 300), (300, 400), (480, 320))
_COUNTS = {Part.CALIBRATION: 128, Part.SELECTION: 240, Part.HELD_OUT: 320}


def scenes(part: Part, seed: int, count: int | None = None) -> Pictures:
    """Scenes with people in them, as JPEG files, the same for the same seed.

    Raises ConversionFailed where the packages with the photographs are not installed.
    """
    total = _COUNTS[part] if count is None else count
    files = tuple(_scene(part, random_for(part, "scene", seed, index)) for index in range(total))
    places = ", ".join(Path(name).stem for name in _PLACES[part])
    return Pictures(
        files,
        f"Scenes composed of photographs in installed packages: {Path(_PEOPLE[part]).stem} and "
        f"{len(_faces(part))} small grey faces out of lfw_subset, enlarged, before {places}; all cropped, scaled, "
        "mirrored, relit, blurred, noisy, JPEG",
    )


def background(part: Part, rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A part of a photograph without people, at `size` (width, height)."""
    return _crop(_photograph(_choice(_PLACES[part], rng)), rng, size)


def _scene(part: Part, rng: np.random.Generator) -> bytes:
    size = _SIZES[int(rng.integers(len(_SIZES)))]
    if rng.random() < 0.25:
        scene = relit(_crop(_photograph(_PEOPLE[part]), rng, size, least=0.6), rng)
        portraits = int(rng.integers(0, 2))
    else:
        scene = relit(background(part, rng, size), rng)
        portraits = int(rng.integers(1, 5))
    for cell in rng.permutation(4)[:portraits]:
        _set_in(scene, _portrait(part, rng), int(cell), rng)
    return photographed(scene, rng, noise=8, blur=1.0, quality=70)


def _crop(picture: Image.Image, rng: np.random.Generator, size: tuple[int, int], least: float = 0.4) -> Image.Image:
    """A part with the proportions of `size`, of `least` or more of what fits, perhaps mirrored, scaled to `size`."""
    fitting = min(picture.width / size[0], picture.height / size[1]) * rng.uniform(least, 1.0)
    width, height = size[0] * fitting, size[1] * fitting
    left, top = rng.uniform(0, picture.width - width), rng.uniform(0, picture.height - height)
    part = picture.resize(size, Image.Resampling.BICUBIC, (left, top, left + width, top + height))
    return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else part


def _portrait(part: Part, rng: np.random.Generator) -> Image.Image:
    """A person of 120 to 200 pixels, or a face of 60 to 150, relit and perhaps mirrored."""
    if rng.random() < 0.5:
        side = int(rng.integers(120, 201))
        return relit(_crop(_photograph(_PEOPLE[part]), rng, (side, side), least=0.6), rng)
    faces = _faces(part)
    side = int(rng.integers(60, 151))
    face = Image.fromarray(faces[int(rng.integers(len(faces)))]).convert("RGB")
    return relit(_crop(face, rng, (side, side), least=0.9), rng)


def _set_in(scene: Image.Image, portrait: Image.Image, cell: int, rng: np.random.Generator) -> None:
    """Put `portrait` into a quarter of the scene, its edges fading."""
    width, height = scene.width // 2, scene.height // 2
    left = (cell % 2) * width + int(rng.integers(0, max(1, width - portrait.width)))
    top = (cell // 2) * height + int(rng.integers(0, max(1, height - portrait.height)))
    ramp = np.minimum(np.arange(portrait.width) + 1, np.arange(portrait.width, 0, -1)) / (0.12 * portrait.width)
    fade = np.clip(ramp, 0, 1)
    mask = Image.fromarray(np.rint(255 * fade[:, None] * fade[None, :]).astype(np.uint8))
    scene.paste(portrait, (left, top), mask)


@cache
def _photograph(name: str) -> Image.Image:
    return Image.open(_installed(name)).convert("RGB")


@cache
def _faces(part: Part) -> NDArray[np.uint8]:
    """The faces of `part`, UINT8 [faces, 25, 25]: every third of them."""
    faces = np.load(_installed(_FACES), allow_pickle=False)[:100]
    third = list(Part).index(part)
    kept: NDArray[np.uint8] = np.rint(faces[third::3] * 255).astype(np.uint8)
    return kept


def _installed(name: str) -> Path:
    """The path of a file in an installed package; the package is not imported."""
    package, _, rest = name.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ConversionFailed(
            f"The photographs to calibrate with and to judge by are in {package}, which is not installed.",
            "Install Conch with its extra [convert], or give pictures of your own.",
        )
    return Path(spec.origin).parent / rest


def _choice(names: tuple[str, ...], rng: np.random.Generator) -> str:
    return names[int(rng.integers(len(names)))]
