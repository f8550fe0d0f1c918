"""A reader of PP-OCR's shape, as the search sees it: pages in, text against the original's text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx

from converters.errors import ConversionFailed, SourceInvalid
from converters.samples.lines import pages
from converters.samples.pictures import Pictures, pictures
from converters.samples.split import Part
from converters.steps.graph import graph_inputs
from converters.subject import Figure, Load, Model, Sample, Split
from converters.tasks.detection import picture
from registry.spec.certificate import Data
from registry.spec.ocr import LINE_HEIGHT, OcrSettings, direction_input, line_input, line_width, page_input
from registry.spec.reader import Page, PageAgreement, Reader, compare
from registry.spec.session import Session, open_session

PARTS = ("det", "cls", "rec")

_LEAST_CHARACTERS = 1000  # of half a percent that is five errors
_RANKED_PAGES, _RANKED_LINES = 8, 24
_FULL_DIRECTION = 192  # lines at least as wide have no padding for the direction classifier
_LINE_LOAD = 320


class OcrSubject:
    """The subject of one reader; `original` are its FP32 graphs, open."""

    def __init__(
        self,
        graphs: Mapping[str, onnx.ModelProto],
        original: Mapping[str, Session],
        settings: OcrSettings,
        pictures: Mapping[Part, Pictures],
    ) -> None:
        self.settings = settings
        self._graphs = graphs
        self._original = original
        self._pictures = pictures
        self._references: dict[Split, list[Page]] = {}

    @property
    def graphs(self) -> Mapping[str, onnx.ModelProto]:
        """The float graphs `det`, `rec` and, where it has one, `cls`."""
        return self._graphs

    @cached_property
    def data(self) -> Mapping[str, Data]:
        """The pages of each purpose."""
        return {part.value: found.data() for part, found in self._pictures.items()}

    @cached_property
    def loads(self) -> tuple[Load, ...]:
        """Finding the lines of a page, reading six lines, and all that is done for one page.

        Raises ConversionFailed where the original finds no line on any page.
        """
        samples = self._tallest()
        found = samples[0].feeds[self.settings.inputs["det"]]
        one = next(sample for sample in samples if sample.part == "rec").feeds[self.settings.inputs["rec"]]
        line = np.resize(one, (6, 3, LINE_HEIGHT, _LINE_LOAD))  # what the pixels are does not matter for the time
        return (
            Load(f"det, {' × '.join(map(str, found.shape))}", (samples[0],)),
            Load(f"rec, {' × '.join(map(str, line.shape))}", (self._sample("rec", line),)),
            Load(f"a page of {sum(sample.part == 'rec' for sample in samples)} lines", tuple(samples)),
        )

    def readable(self, reader: Reader) -> bytes:
        """The smallest image file of the selection data in which `reader` reads a line; the smallest if in none."""
        files = sorted(self._pictures[Part.SELECTION].files, key=len)
        return next((file for file in files if reader.read(picture(file)).lines), files[0])

    def calibration(self) -> Iterator[Sample]:
        """Pages for `det`, and the lines that the original finds on them for the other parts, unpadded."""
        for file in self._pictures[Part.CALIBRATION].files:
            yield from self._samples(file)

    def selection(self) -> Iterator[Sample]:
        """Some pages and lines of the selection data."""
        left = dict.fromkeys(PARTS, _RANKED_LINES) | {"det": _RANKED_PAGES}
        for file in self._pictures[Part.SELECTION].files:
            for sample in self._samples(file):
                if left[sample.part]:
                    left[sample.part] -= 1
                    yield sample

    def judge(self, model: Model, split: Split) -> list[Figure]:
        """The task's criteria by picture; a part that `model` lacks is the original's.

        The whole pipeline runs: a line that is found differently is read differently.
        """
        reference = self._reference(split)
        candidate = self._read({**self._original, **model}, split)
        found = [compare(*pair) for pair in zip(reference, candidate, strict=True)]
        return [
            _characters("character_error", [(page.errors, page.characters) for page in found]),
            _characters("spaced_character_error", [(page.spaced_errors, page.spaced_characters) for page in found]),
            _lines(found),
            _boxes(found),
        ]

    def _tallest(self) -> list[Sample]:
        """All that is done for the tallest page of the selection on which the original finds a line."""
        files = self._pictures[Part.SELECTION].files
        for file in sorted(files, key=lambda file: picture(file).shape[0], reverse=True):
            samples = list(self._samples(file))
            if any(sample.part == "rec" for sample in samples):
                return samples
        raise ConversionFailed(
            f"The original finds no line of text in any of {len(files)} pictures.",
            "Check that the graphs are those of PP-OCR, and upload pictures with text of your own.",
        )

    def _reference(self, split: Split) -> list[Page]:
        """What the original reads, once for each split. Raises ConversionFailed where that is next to nothing."""
        if split not in self._references:
            read = self._read(self._original, split)
            characters = sum(len(page.text) for page in read)
            if characters < _LEAST_CHARACTERS:
                raise ConversionFailed(
                    f"The original reads {characters} characters in {len(read)} pictures, too few to judge by.",
                    "Check that the graphs are those of PP-OCR, and upload pictures with text of your own.",
                )
            self._references[split] = read
        return self._references[split]

    def _read(self, sessions: Mapping[str, Session], split: Split) -> list[Page]:
        reader = Reader(sessions, self.settings)
        return [reader.read(picture(file)) for file in self._pictures[Part(split.value)].files]

    def _samples(self, file: bytes) -> Iterator[Sample]:
        image = picture(file)
        yield self._sample("det", page_input(image, self.settings.side)[None])
        for line in Reader(self._original, self.settings).crops(image):
            yield self._sample("rec", line_input(line)[None])
            if "cls" in self._graphs and line_width(line) >= _FULL_DIRECTION:
                yield self._sample("cls", direction_input(line)[None])

    def _sample(self, part: str, rows: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Sample:
        return Sample(part, {self.settings.inputs[part]: rows})


def open_subject(
    graphs: Mapping[str, onnx.ModelProto],
    scratch: Path,
    seed: int,
    threads: int,
    own: Sequence[bytes] | None = None,
) -> OcrSubject:
    """The subject of the graphs `det`, `rec` and perhaps `cls`, judged on built-in pages or on the owner's pictures.

    `scratch` is a directory for the FP32 graphs that everything is measured against. Raises SourceInvalid for graphs
    that are not PP-OCR's, and ConversionFailed where there are no pages to judge by.
    """
    settings = read_settings(graphs)
    found = pictures(lambda part: pages(part, seed), own)
    original: dict[str, Session] = {}
    for part, graph in graphs.items():
        path = scratch / f"original-{part}.onnx"
        onnx.save(graph, path)
        original[part] = open_session(path, threads, exact_x86=False)
    return OcrSubject(graphs, original, settings, found)


def read_settings(graphs: Mapping[str, onnx.ModelProto]) -> OcrSettings:
    """How to feed and read `graphs`, from their inputs and the metadata of `rec`. Raises SourceInvalid."""
    if not {"det", "rec"} <= set(graphs) <= set(PARTS):
        raise SourceInvalid(
            f"A reader has the graphs det, rec and perhaps cls, not {', '.join(sorted(graphs)) or 'none'}.",
            "Name the files det.onnx, rec.onnx and cls.onnx.",
        )
    metadata = {entry.key: entry.value for entry in graphs["rec"].metadata_props}
    if "character" not in metadata:
        raise SourceInvalid(
            "The graph rec does not say which characters it reads.",
            "Put them into its metadata under the key character, one a line, as RapidOCR's files have them.",
        )
    # A line may be a character that str.splitlines would split at; the space comes last, as in PaddleOCR.
    characters = (*metadata["character"].split("\n"), " ")
    return OcrSettings(characters, {part: _input(part, graph) for part, graph in graphs.items()})


def _input(part: str, graph: onnx.ModelProto) -> str:
    names = [value.name for value in graph_inputs(graph)]
    if len(names) != 1 or len(graph.graph.output) != 1:
        raise SourceInvalid(
            f"The graph {part} has not one input and one output.", "Export PP-OCR's inference model with paddle2onnx."
        )
    return str(names[0])


def _characters(name: str, found: Sequence[tuple[int, int]]) -> Figure:
    """Errors by character. A page on which the original reads nothing weighs as one character, so that noise shows."""
    errors, characters = np.array(found, dtype=np.float64).T
    weights = np.maximum(characters, 1)
    return Figure(name, errors / weights, weights)


def _lines(found: Sequence[PageAgreement]) -> Figure:
    weights = np.array([page.lines for page in found], dtype=np.float64)
    return Figure("lines_equal", np.array([page.equal for page in found]) / np.maximum(weights, 1), weights)


def _boxes(found: Sequence[PageAgreement]) -> Figure:
    values, weights = ([getattr(page, name) for page in found] for name in ("matched", "boxes"))
    return Figure("boxes_matched", np.array(values, dtype=np.float64), np.array(weights, dtype=np.float64))
