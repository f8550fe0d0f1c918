"""Pictures to text with the graphs of the task `ocr`: find lines, cut them out, turn them, read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.spec.boxes import Boxes, agreement, match
from registry.spec.edit_distance import edit_distance
from registry.spec.image import Image, cut_out
from registry.spec.ocr import (
    OcrSettings,
    decode_line,
    direction_input,
    line_input,
    line_width,
    padded_width,
    page_input,
)
from registry.spec.session import Session, open_graph
from registry.spec.text_regions import find


@dataclass(frozen=True)
class Line:
    """A line of text: corners FP32 [4, 2] (x, y) in pixels of the picture, from its upper left clockwise."""

    text: str
    score: float
    corners: NDArray[np.float32]


@dataclass(frozen=True)
class Page:
    """The lines of a picture in reading order."""

    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """All lines, one a line."""
        return "\n".join(line.text for line in self.lines)


class Reader:
    """Open graphs `det`, `rec` and perhaps `cls` with their settings."""

    def __init__(self, sessions: Mapping[str, Session], settings: OcrSettings) -> None:
        self._sessions = sessions
        self._settings = settings

    @classmethod
    def open(cls, directory: Path, settings: OcrSettings, threads: int, *, exact_x86: bool) -> Reader:
        """The published reader in `directory`."""
        parts = settings.inputs
        return cls({part: open_graph(directory, part, threads, exact_x86=exact_x86) for part in parts}, settings)

    def read(self, image: Image) -> Page:
        """The text in `image`; of one that is upside down as it reads the right way up."""
        corners = self.locate(image)
        cut, turned = self._upright([cut_out(image, one) for one in corners])
        texts = self._recognize(cut)
        lines = [Line(text, score, one) for (text, score), one in zip(texts, corners, strict=True)]
        kept = [line for line in lines if line.text and line.score >= self._settings.least_score]
        return Page(tuple(kept[::-1] if turned else kept))

    def locate(self, image: Image) -> list[NDArray[np.float32]]:
        """The corners FP32 [4, 2] of each line in `image`, in its pixels and in reading order.

        They are not rounded to whole pixels: rounding makes a pixel of a small difference, and recognition sees it.
        """
        pixels = page_input(image, self._settings.side)
        likely = self._run("det", pixels[None])[0, 0]
        scale = np.array(image.shape[1::-1], dtype=np.float32) / np.array(likely.shape[::-1], dtype=np.float32)
        # The middle of a pixel is at a half in a picture's coordinates, and at a whole number in the map's.
        found = find(likely, self._settings.regions)
        return [(rectangle.corners() + np.float32(0.5)) * scale for rectangle in found]

    def crops(self, image: Image) -> list[Image]:
        """The lines of `image`, cut out and turned as `rec` is given them."""
        return self._upright([cut_out(image, one) for one in self.locate(image)])[0]

    def _upright(self, lines: list[Image]) -> tuple[list[Image], bool]:
        """Lines that stand on end laid down, and all turned where `cls` finds the picture upside down; whether it did.

        The lines of a picture vote. PaddleOCR turns each that is above 0.9 by itself: with `det` in INT8, one line of
        3 and one of 21 on two pages that were upside down fell to the other side, and all of it was misread.
        """
        laid = [np.rot90(line) if line.shape[0] >= 1.5 * line.shape[1] else line for line in lines]
        if "cls" not in self._sessions or not laid:
            return laid, False
        batches = (laid[start : start + self._settings.batch] for start in range(0, len(laid), self._settings.batch))
        likely = [self._run("cls", np.stack([direction_input(line) for line in batch]))[:, 1] for batch in batches]
        turned = bool(np.concatenate(likely).mean() > self._settings.least_turn)
        return [np.rot90(line, 2) for line in laid] if turned else laid, turned

    def _recognize(self, lines: list[Image]) -> list[tuple[str, float]]:
        texts: list[tuple[str, float]] = [("", 0.0)] * len(lines)
        for width, rows in self._batches(lines):
            likely = self._run("rec", np.stack([line_input(lines[row], width) for row in rows]))
            for row, steps in zip(rows, likely, strict=True):
                texts[row] = decode_line(steps, self._settings.characters)
        return texts

    def _batches(self, lines: list[Image]) -> Iterator[tuple[int, list[int]]]:
        """A width, and lines that are filled up to it: as many as one run takes."""
        widths: dict[int, list[int]] = {}
        for row, line in enumerate(lines):
            widths.setdefault(padded_width(line_width(line)), []).append(row)
        for width, rows in sorted(widths.items()):
            for start in range(0, len(rows), self._settings.batch):
                yield width, rows[start : start + self._settings.batch]

    def _run(self, part: str, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        output: NDArray[np.float32] = self._sessions[part].run(None, {self._settings.inputs[part]: rows})[0]
        return output


def tensors(pages: Sequence[Page]) -> dict[str, NDArray[Any]]:
    """The outputs of the public signature for several pictures, a row each; rows are filled up with empty lines."""
    most = max(len(page.lines) for page in pages)
    lines = np.full((len(pages), most), b"", dtype=np.object_)
    scores = np.zeros((len(pages), most), dtype=np.float32)
    corners = np.zeros((len(pages), most, 4, 2), dtype=np.float32)
    for row, page in enumerate(pages):
        for column, line in enumerate(page.lines):
            lines[row, column] = line.text.encode()
            scores[row, column] = line.score
            corners[row, column] = line.corners
    text = np.array([[page.text.encode()] for page in pages], dtype=np.object_)
    return {"text": text, "lines": lines, "scores": scores, "corners": corners}


@dataclass(frozen=True)
class PageAgreement:
    """How a candidate's page compares with the original's.

    `errors` of `characters` is the edit distance of the texts without their spaces, `spaced_errors` of
    `spaced_characters` that with them; `equal` of `lines` are read the same, spaces included; `matched` is the share of
    the `boxes` of both pages that the other has, too.
    """

    errors: int
    characters: int
    spaced_errors: int
    spaced_characters: int
    equal: int
    lines: int
    matched: float
    boxes: float


def compare(reference: Page, candidate: Page) -> PageAgreement:
    """Judge `candidate` against `reference`, the pages that two readers made of one picture."""
    before, after = _boxes(reference), _boxes(candidate)
    pairs = match(before, after, 0.5)
    equal = sum(
        found >= 0 and candidate.lines[found].text == line.text
        for line, found in zip(reference.lines, pairs, strict=True)
    )
    matched, boxes = agreement(before, after, 0.5, 0.0)
    return PageAgreement(
        *_errors(reference.text.replace(" ", ""), candidate.text.replace(" ", "")),
        *_errors(reference.text, candidate.text),
        equal,
        len(reference.lines),
        matched,
        boxes,
    )


def _errors(reference: str, candidate: str) -> tuple[int, int]:
    return edit_distance(reference, candidate), len(reference)


def _boxes(page: Page) -> Boxes:
    """The lines' bounds as boxes of one class; a page's skew of a few degrees is the same in both."""
    corners = np.array([line.corners for line in page.lines], dtype=np.float32).reshape(-1, 4, 2)
    bounds = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    scores = np.array([line.score for line in page.lines], dtype=np.float32)
    return Boxes(bounds, scores, np.zeros(len(scores), dtype=np.int64))
