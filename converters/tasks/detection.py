"""A detector shaped like YOLOv8, as the search sees it: scenes in, boxes against the original's boxes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from converters.errors import ConversionFailed, SourceInvalid
from converters.samples.photographs import scenes
from converters.samples.pictures import Pictures, pictures
from converters.samples.split import Part
from converters.steps.graph import graph_inputs
from converters.subject import Figure, Load, Model, Sample, Split
from registry.spec.boxes import Boxes, above, agreement, score_drift
from registry.spec.certificate import Data
from registry.spec.detection import DetectionSettings, Detector, letterbox, to_input
from registry.spec.image import Image, decode
from registry.spec.session import Session, open_session

PART = "model"

_LEAST_BOXES = 50  # with fewer, one box is 2 % and no figure means anything
_UNSURE = 0.5  # of the threshold: from there on the other model's box counts as there
_RANKED = 40  # scenes that layers are ranked with
_DEFAULT_SIDE = 640  # Ultralytics' own, where neither the graph nor its metadata says
_LARGEST_SIDE = 4096


class DetectionSubject:
    """The subject of one detector; `original` is its FP32 graph, open."""

    def __init__(
        self,
        graph: onnx.ModelProto,
        original: Session,
        settings: DetectionSettings,
        pictures: Mapping[Part, Pictures],
    ) -> None:
        self.settings = settings
        self._graph = graph
        self._original = original
        self._pictures = pictures
        self._references: dict[Split, list[Boxes]] = {}

    @property
    def graphs(self) -> Mapping[str, onnx.ModelProto]:
        """The float graph, the only part."""
        return {PART: self._graph}

    @cached_property
    def data(self) -> Mapping[str, Data]:
        """The scenes of each purpose."""
        return {part.value: found.data() for part, found in self._pictures.items()}

    @cached_property
    def loads(self) -> tuple[Load, ...]:
        """One picture and four, as large as the graph takes them."""
        rows = [self._row(file) for file in self._pictures[Part.SELECTION].files[:4]]
        side = self.settings.side
        return tuple(
            Load(f"{count} × 3 × {side} × {side}", (self._sample(np.stack(rows[:count])),)) for count in (1, 4)
        )

    def smallest(self, count: int) -> list[bytes]:
        """The smallest image files of the selection data."""
        return sorted(self._pictures[Part.SELECTION].files, key=len)[:count]

    def calibration(self) -> Iterator[Sample]:
        """One scene a sample. The black that fills up a square is part of what the graph always sees."""
        for file in self._pictures[Part.CALIBRATION].files:
            yield self._sample(self._row(file)[None])

    def selection(self) -> Iterator[Sample]:
        """Some scenes of the selection data."""
        for file in self._pictures[Part.SELECTION].files[:_RANKED]:
            yield self._sample(self._row(file)[None])

    def loss(
        self, wanted: Sequence[Sequence[NDArray[np.float32]]], got: Sequence[Sequence[NDArray[np.float32]]]
    ) -> float:
        """How far boxes move, in parts of their shorter side, and half of how far their scores do.

        Only places where the original sees something count. In the energy of the outputs they would be lost: a place
        counts by the size of its coordinates, and a pixel is nothing in 320, but a tenth of a small box.
        """
        entries = [
            _moved(one[0], other[0], self.settings.least_score * _UNSURE)
            for one, other in zip(wanted, got, strict=True)
        ]
        return float(np.concatenate(entries).mean())

    def judge(self, model: Model, split: Split) -> list[Figure]:
        """`matched_50`, `matched_90`, `matched_strict` and `score_drift` by scene, weighted by boxes."""
        reference = self._reference(split)
        candidate = self._boxes(model[PART], split)
        pairs = list(zip(reference, candidate, strict=True))
        least = self.settings.least_score
        sure = [(above(one, least), above(other, least)) for one, other in pairs]
        return [
            _figure("matched_50", [agreement(*pair, 0.5, least) for pair in pairs]),
            _figure("matched_90", [agreement(*pair, 0.9, least) for pair in pairs]),
            _figure("matched_strict", [agreement(*pair, 0.5, least) for pair in sure]),
            _figure("score_drift", [score_drift(*pair) for pair in sure]),
        ]

    def _reference(self, split: Split) -> list[Boxes]:
        """What the original finds, once for each split. Raises ConversionFailed where that is next to nothing."""
        if split not in self._references:
            boxes = self._boxes(self._original, split)
            found = sum(len(above(one, self.settings.least_score)) for one in boxes)
            if found < _LEAST_BOXES:
                raise ConversionFailed(
                    f"The original finds {found} objects in {len(boxes)} pictures, too few to judge a conversion by.",
                    "Upload pictures of your own in which it finds more: some hundred boxes.",
                )
            self._references[split] = boxes
        return self._references[split]

    def _boxes(self, session: Session, split: Split) -> list[Boxes]:
        detector = Detector(session, replace(self.settings, least_score=self.settings.least_score * _UNSURE))
        return [detector.detect([picture(file)])[0] for file in self._pictures[Part(split.value)].files]

    def _row(self, file: bytes) -> NDArray[np.float32]:
        return to_input(letterbox(picture(file), self.settings.side)[0])

    def _sample(self, rows: NDArray[np.float32]) -> Sample:
        return Sample(PART, {self.settings.input: rows})


def _moved(wanted: NDArray[np.float32], got: NDArray[np.float32], least_score: float) -> NDArray[np.float32]:
    """A value for each place of [rows, 4 + classes, places] that is seen, [seen]; 10 where nothing can be compared."""
    if wanted.shape != got.shape or not np.isfinite(got).all():
        return np.full(1, 10, dtype=np.float32)
    one, other = (np.moveaxis(output, 1, 0).reshape(output.shape[1], -1) for output in (wanted, got))
    seen = one[4:].max(axis=0) >= least_score
    one, other = one[:, seen], other[:, seen]
    sides = np.maximum(np.minimum(one[2], one[3]), 1)
    shift: NDArray[np.float32] = (
        np.abs(other[:4] - one[:4]).mean(axis=0) / sides + np.abs(other[4:] - one[4:]).max(axis=0) / 2
    )
    return shift


def open_subject(
    graph: onnx.ModelProto, scratch: Path, seed: int, threads: int, own: Sequence[bytes] | None = None
) -> DetectionSubject:
    """The subject of the detector `graph`, judged on built-in scenes, or on the owner's pictures where there are `own`.

    `scratch` is a directory for the FP32 graph that everything is measured against. Raises SourceInvalid for a graph
    that is not shaped like YOLOv8, and ConversionFailed where there are no pictures.
    """
    settings = read_settings(graph)
    found = pictures(lambda part: scenes(part, seed), own)
    path = scratch / "original.onnx"
    onnx.save(graph, path)
    return DetectionSubject(graph, open_session(path, threads, exact_x86=False), settings, found)


def picture(file: bytes) -> Image:
    """The picture in `file`. Raises SourceInvalid for what is none: the built-in pictures all are."""
    try:
        return decode(file)
    except ValueError as error:
        raise SourceInvalid(f"One of the owner's pictures cannot be used. {error}", "Leave it out.") from error


def read_settings(graph: onnx.ModelProto) -> DetectionSettings:
    """How to feed and read `graph`, from its inputs, outputs and metadata. Raises SourceInvalid."""
    inputs = graph_inputs(graph)
    if len(inputs) != 1 or len(graph.graph.output) != 1 or len(_shape(inputs[0])) != 4 or _shape(inputs[0])[1] != 3:
        raise _not_a_detector("it has not one input [rows, 3, height, width] and one output")
    output = graph.graph.output[0]
    shape = _shape(output)
    if len(shape) != 3 or not 5 <= shape[1] <= 4 + 10_000:
        raise _not_a_detector("its output is not [rows, 4 + classes, places] with a fixed number of classes")
    metadata = {entry.key: entry.value for entry in graph.metadata_props}
    side = _shape(inputs[0])[2] or _stated_side(metadata.get("imgsz", ""))
    if side % 32 or not 32 <= side <= _LARGEST_SIDE:
        raise _not_a_detector(f"its input is {side} pixels high, no multiple of 32 up to {_LARGEST_SIDE}")
    labels = _stated_labels(metadata.get("names", ""), shape[1] - 4)
    return DetectionSettings(inputs[0].name, output.name, side, labels)


def _stated_side(text: str) -> int:
    found = re.match(r"\[(\d{1,5})\b", text)
    return int(found[1]) if found else _DEFAULT_SIDE


def _stated_labels(text: str, count: int) -> tuple[str, ...]:
    """The class names that Ultralytics writes as `{0: 'person', …}`; where they do not fit, numbers."""
    stated = {int(key): a or b for key, a, b in re.findall(r"(\d{1,5}): (?:'([^']*)'|\"([^\"]*)\")", text)}
    return tuple(stated.get(index) or str(index) for index in range(count))


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    """The dimensions of an input or output, 0 where one is not fixed."""
    return tuple(dimension.dim_value for dimension in value.type.tensor_type.shape.dim)


def _not_a_detector(why: str) -> SourceInvalid:
    return SourceInvalid(
        f"The graph is not a detector shaped like YOLOv8: {why}.",
        "Export it with Ultralytics' export(format='onnx'), without nms=True, or register it as the task tensor.",
    )


def _figure(name: str, entries: list[tuple[float, float]]) -> Figure:
    values, weights = np.array(entries, dtype=np.float64).T
    return Figure(name, values, weights)
