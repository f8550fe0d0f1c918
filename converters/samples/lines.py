"""Pages and lines of text for readers: prose from docstrings, set with Pillow in the DejaVu fonts, then photographed.

The three parts are apart by the package that the prose is from and by the photograph behind it.
"""

from __future__ import annotations

import importlib.util
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from converters.errors import ConversionFailed
from converters.samples.photographs import background
from converters.samples.pictures import Pictures, photographed, random_for
from converters.samples.prose import paragraphs
from converters.samples.split import Part

_STANDARD_LIBRARY = "Python's standard library"
_PACKAGES = {
    Part.CALIBRATION: (_STANDARD_LIBRARY,),
    Part.SELECTION: ("networkx",),
    Part.HELD_OUT: ("numpy", "jinja2"),
}
_COUNTS = {Part.CALIBRATION: 64, Part.SELECTION: 64, Part.HELD_OUT: 160}
_PAGES = ((384, 480), (480, 384), (416, 416))
_STRIPS = ((320, 48), (320, 64), (448, 64), (384, 96))
_FONTS = tuple(
    f"DejaVu{name}.ttf"
    for name in ("Sans", "Sans-Bold", "Sans-Oblique", "SansMono", "Serif", "Serif-Bold", "Serif-Italic")
)
_FONT_DIRECTORY = Path("/usr/share/fonts/truetype/dejavu")
_UPSIDE_DOWN = 0.1  # of the pictures, so that the direction classifier has something to find


@dataclass(frozen=True)
class _Style:
    font: ImageFont.FreeTypeFont
    ink: tuple[int, int, int]
    paper: tuple[int, int, int]
    spacing: float


def pages(part: Part, seed: int, count: int | None = None) -> Pictures:
    """Pages and single lines, as JPEG files, the same for the same seed and packages.

    Raises ConversionFailed where the fonts are not installed.
    """
    sentences = _sentences(part, seed)
    total = _COUNTS[part] if count is None else count
    files = tuple(_picture(part, sentences, random_for(part, "page", seed, index)) for index in range(total))
    return Pictures(
        files,
        f"Pages and single lines of English prose and figures from the docstrings of {', '.join(_PACKAGES[part])}, "
        "set in DejaVu, 14 to 34 pixels high, on paper and photographs; skewed, blurred, noisy, JPEG, every tenth "
        "upside down",
    )


def _picture(part: Part, sentences: Sequence[str], rng: np.random.Generator) -> bytes:
    page = rng.random() < 0.15
    size = (_PAGES if page else _STRIPS)[int(rng.integers(3 if page else 4))]
    style = _style(rng)
    paper = _paper(part, size, style, rng)
    ink = Image.new("L", size, 0)
    _set_text(ink, _text(sentences, rng), style)
    skew = rng.uniform(-2.5, 2.5) if page else rng.uniform(-1, 1)
    ink = ink.rotate(skew, Image.Resampling.BICUBIC)
    paper.paste(Image.new("RGB", size, style.ink), (0, 0), ink)
    if rng.random() < _UPSIDE_DOWN:
        paper = paper.transpose(Image.Transpose.ROTATE_180)
    return photographed(paper, rng, noise=12, blur=0.9, quality=50)


def _style(rng: np.random.Generator) -> _Style:
    dark, light = (tuple(int(level) for level in rng.integers(low, low + 60, 3)) for low in (0, 190))
    if rng.random() < 0.2:
        dark, light = light, dark
    font = _font(_FONTS[int(rng.integers(len(_FONTS)))], int(rng.integers(14, 35)))
    return _Style(font, dark, light, rng.uniform(1.25, 1.7))  # type: ignore[arg-type]  # three of each


def _paper(part: Part, size: tuple[int, int], style: _Style, rng: np.random.Generator) -> Image.Image:
    """Plain paper, or a photograph that shows through it."""
    plain = Image.new("RGB", size, style.paper)
    if rng.random() < 0.5:
        return plain
    return Image.blend(background(part, rng, size), plain, rng.uniform(0.6, 0.9))


def _text(sentences: Sequence[str], rng: np.random.Generator) -> str:
    """Sentences from anywhere, with a line of figures among them now and then."""
    parts = []
    for index in rng.integers(0, len(sentences), 40):
        parts.append(sentences[int(index)])
        if rng.random() < 0.2:
            day, month, amount = rng.integers(1, 29), rng.integers(1, 13), rng.integers(100, 10_000_000)
            parts.append(
                f"{day:02d}.{month:02d}.{rng.integers(1990, 2030)} No. {amount % 9973} {amount / 100:,.2f} EUR"
            )
    return " ".join(parts)


def _set_text(ink: Image.Image, text: str, style: _Style) -> None:
    """Fill `ink` with lines of `text`, a margin left free."""
    draw = ImageDraw.Draw(ink)
    step = round(style.font.size * style.spacing)
    margin = max(10, round(min(ink.size) / 20))
    words = text.split()
    top = margin
    while top + step <= ink.height - margin / 2 or top == margin:
        count = _fitting(words, style.font, ink.width - 2 * margin)
        draw.text((margin, top), " ".join(words[:count]), fill=255, font=style.font)
        del words[:count]
        top += step


def _fitting(words: Sequence[str], font: ImageFont.FreeTypeFont, width: float) -> int:
    """How many of `words` fit into a line, one at least."""
    count = 1
    while count < len(words) and font.getlength(" ".join(words[: count + 1])) <= width:
        count += 1
    return count


@cache
def _sentences(part: Part, seed: int) -> tuple[str, ...]:
    found = [sentence for name in _PACKAGES[part] for block in paragraphs(_directory(name), seed) for sentence in block]
    return tuple(dict.fromkeys(found))


def _directory(name: str) -> Path:
    if name == _STANDARD_LIBRARY:
        return Path(sysconfig.get_path("stdlib"))
    spec = importlib.util.find_spec(name)
    assert spec is not None  # what the extra `convert` always brings
    assert spec.origin is not None
    return Path(spec.origin).parent


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A font of the system's, or the same out of Matplotlib, at `size` pixels."""
    places = [_FONT_DIRECTORY]
    if (spec := importlib.util.find_spec("matplotlib")) is not None and spec.origin is not None:
        places.append(Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf")
    for place in places:
        if (place / name).is_file():
            # Raqm would need a library that not every system has; English does not need it.
            return ImageFont.truetype(place / name, size, layout_engine=ImageFont.Layout.BASIC)
    raise ConversionFailed(
        "The DejaVu fonts that test pages are set in are not installed.",
        "Install Conch with its extra [convert], or give pictures of your own.",
    )
