"""The pipeline with graphs that can be reasoned about: text is bright, and a line's colour is its character."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from registry.spec.ocr import OcrSettings
from registry.spec.reader import Line, Page, Reader, compare
from registry.spec.session import Feeds, Session

SETTINGS = OcrSettings(("r", "g", "b"))


class Finder:
    def run(self, outputs: Sequence[str] | None, feeds: Feeds) -> list[NDArray[Any]]:
        return [(feeds["x"].max(axis=1, keepdims=True) > 0).astype(np.float32)]


class Namer:
    """Reads the colour of a line's left end, then that of its middle: red is the last channel."""

    def run(self, outputs: Sequence[str] | None, feeds: Feeds) -> list[NDArray[Any]]:
        likely = np.zeros((len(feeds["x"]), 3, 4), dtype=np.float32)
        for row, line in enumerate(feeds["x"]):
            for step, column in ((0, 25), (2, 100)):
                likely[row, step, 3 - int(line[:, 24, column].argmax())] = 0.9
            likely[row, 1, 0] = 1
        return [likely]


class Turner:
    """Upside down is what begins in blue."""

    def run(self, outputs: Sequence[str] | None, feeds: Feeds) -> list[NDArray[Any]]:
        blue = (feeds["x"][:, 0, 24, 25] > 0.5).astype(np.float32)
        return [np.stack([1 - blue, blue], axis=1)]


def page() -> np.ndarray:
    """Two lines: red with a green half, and, below, blue with a red half."""
    image = np.zeros((160, 256, 3), dtype=np.uint8)
    image[20:40, 20:120, 0] = image[20:40, 70:120, 1] = 255
    image[20:40, 70:120, 0] = 0
    image[90:110, 20:120, 2] = image[90:110, 70:120, 0] = 255
    image[90:110, 70:120, 2] = 0
    return image


def test_lines_are_found_read_and_placed() -> None:
    parts: dict[str, Session] = {"det": Finder(), "rec": Namer()}
    read = Reader(parts, SETTINGS).read(page())
    assert read.text == "rg\nbr"
    assert read.lines[0].score == pytest.approx(0.9)
    # Grown by area × 1.5 ÷ perimeter, about 12 pixels on each side.
    np.testing.assert_allclose(read.lines[0].corners, [[8, 8], [132, 8], [132, 52], [8, 52]], atol=2)


def test_lines_are_turned_where_most_of_them_are_upside_down() -> None:
    parts: dict[str, Session] = {"det": Finder(), "rec": Namer(), "cls": Turner()}
    assert Reader(parts, SETTINGS).read(page()).text == "rg\nbr"
    mostly_blue = np.zeros((260, 256, 3), dtype=np.uint8)
    mostly_blue[:160] = page()
    mostly_blue[160:] = page()[70:130].repeat(2, axis=0)[:100]
    assert Reader(parts, SETTINGS).read(mostly_blue).text == "rb\nrb\ngr", "from the bottom, which is the top"


def test_lines_that_are_hardly_legible_are_left_out() -> None:
    strict = OcrSettings(("r", "g", "b"), least_score=0.95)
    parts: dict[str, Session] = {"det": Finder(), "rec": Namer()}
    assert Reader(parts, strict).read(page()) == Page(())


def test_an_empty_page_has_no_text() -> None:
    parts: dict[str, Session] = {"det": Finder(), "rec": Namer(), "cls": Turner()}
    assert Reader(parts, SETTINGS).read(np.zeros((50, 50, 3), dtype=np.uint8)).text == ""


def line(text: str, top: float) -> Line:
    corners = np.array([[0, top], [50, top], [50, top + 10], [0, top + 10]], dtype=np.float32)
    return Line(text, 0.9, corners)


def test_pages_are_compared_by_characters_lines_and_places() -> None:
    reference = Page((line("one", 0), line("two", 20)))
    same = compare(reference, reference)
    assert (same.errors, same.characters, same.equal, same.lines, same.matched) == (0, 7, 2, 2, 1.0)
    lost = compare(reference, Page((line("one", 0),)))
    assert (lost.errors, lost.equal, lost.matched, lost.boxes) == (4, 1, pytest.approx(2 / 3), 3)
    wrong = compare(reference, Page((line("one", 0), line("tvo", 22))))
    assert (wrong.errors, wrong.equal, wrong.matched) == (1, 1, 1.0)
    assert compare(Page(()), reference).errors == 7
    spaced = compare(Page((line("one two", 0),)), Page((line("onetwo", 0),)))
    assert (spaced.errors, spaced.characters, spaced.spaced_errors, spaced.spaced_characters) == (0, 6, 1, 7)
    assert spaced.equal == 0
