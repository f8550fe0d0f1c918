"""The task `detection`: a picture in, boxes with classes and scores out, billed by the picture.

The graph is shaped like YOLOv8: input FP32 [rows, 3, side, side], RGB from 0 to 1; output FP32 [rows, 4 + classes,
places], of each place the box (centre x, centre y, width, height in pixels of the input) and a score for each class.
Signature: input `image` BYTES [1], an image file; outputs `boxes` FP32 [-1, 4] (x1, y1, x2, y2 in pixels of the
picture), `scores` FP32 [-1] and `labels` BYTES [-1], behind one batch dimension; rows are filled up with empty labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.spec.boxes import Boxes, suppress
from registry.spec.image import Image, channels_first, pad_to, resize
from registry.spec.session import Session, open_graph
from registry.spec.signature import DataType, Signature, TensorSpec
from registry.spec.task import Criterion, Modality, Task, Unit

TASK = Task(
    name="detection",
    title="Object detection",
    input=Modality.IMAGE,
    output=Modality.TENSOR,
    units=(Unit("images", billed=True, meaning="pictures looked at"),),
    criteria=(
        Criterion("matched_50", "boxes of either model that the other has too: same class, IoU 0.5 or more", 0.98),
        Criterion("matched_90", "boxes of either model that the other has too: same class, IoU 0.9 or more", 0.90),
        # Scores at the threshold change sides with the last digit; to keep 19 of 20 of these boxes half of the
        # layers had to stay in float. Who needs that sets a budget.
        Criterion("matched_strict", "matched_50 where the other's score has to reach the threshold, too", None),
        Criterion("score_drift", "absolute difference of the scores of matched boxes", None, higher_is_better=False),
    ),
)

_MOST_CANDIDATES = 1000  # boxes above the threshold that suppression looks at: it is quadratic in them


def signature() -> Signature:
    """The public signature of every detector."""
    return Signature(
        inputs=(TensorSpec("image", DataType.BYTES, (1,)),),
        outputs=(
            TensorSpec("boxes", DataType.FP32, (-1, 4)),
            TensorSpec("scores", DataType.FP32, (-1,)),
            TensorSpec("labels", DataType.BYTES, (-1,)),
        ),
    )


@dataclass(frozen=True)
class DetectionSettings:
    """How a detector's graph is fed and read.

    `side` is of its square input in pixels, `labels` the names of its classes. Boxes below `least_score` are dropped,
    and those that overlap a surer one of their class by more than `most_overlap`; the defaults are what nudenet, and
    Ultralytics before version 8.1, drop by.
    """

    input: str
    output: str
    side: int
    labels: tuple[str, ...]
    least_score: float = 0.25
    most_overlap: float = 0.45


def letterbox(image: Image, side: int) -> tuple[Image, float]:
    """`image` scaled into the upper left of a black square of `side`, and by how much it was scaled."""
    scale = side / max(image.shape[:2])
    height, width = (max(1, round(length * scale)) for length in image.shape[:2])
    return pad_to(resize(image, height, width), side, side), scale


def to_input(square: Image) -> NDArray[np.float32]:
    """A letterboxed picture as one row of the graph's input, FP32 [3, side, side] from 0 to 1."""
    return channels_first(square.astype(np.float32) / np.float32(255))


def decode(output: NDArray[np.float32], settings: DetectionSettings) -> Boxes:
    """The boxes in one row of the graph's output, FP32 [4 + classes, places], in pixels of the input."""
    best = output[4:].max(axis=0)
    chosen = np.flatnonzero(best >= settings.least_score)
    chosen = chosen[np.argsort(-best[chosen], kind="stable")][:_MOST_CANDIDATES]
    places = output[:, chosen].astype(np.float32, copy=False)
    centres, halves = places[:2].T, places[2:4].T / 2
    corners = np.concatenate([centres - halves, centres + halves], axis=1)
    found = Boxes(corners, best[chosen].astype(np.float32, copy=False), places[4:].argmax(axis=0))
    return suppress(found, settings.most_overlap)


@dataclass(frozen=True)
class Prepared:
    """A picture as the graph takes it, FP32 [3, side, side], and what brings its boxes back: size and scale."""

    row: NDArray[np.float32]
    height: int
    width: int
    scale: float


def prepare(image: Image, side: int) -> Prepared:
    """`image` as a graph of `side` takes it."""
    square, scale = letterbox(image, side)
    return Prepared(to_input(square), image.shape[0], image.shape[1], scale)


class Detector:
    """An open graph with its settings; pictures in, boxes out."""

    def __init__(self, session: Session, settings: DetectionSettings) -> None:
        self._session = session
        self._settings = settings

    @classmethod
    def open(cls, directory: Path, settings: DetectionSettings, threads: int, *, exact_x86: bool) -> Detector:
        """The published detector in `directory`."""
        return cls(open_graph(directory, "model", threads, exact_x86=exact_x86), settings)

    def detect(self, images: Sequence[Image]) -> list[Boxes]:
        """The boxes in each of `images`, in its own pixels and within it; all of them are one run of the graph."""
        return self.run([prepare(image, self._settings.side) for image in images])

    def run(self, pictures: Sequence[Prepared]) -> list[Boxes]:
        """The boxes in each of `pictures`, likewise."""
        feeds = {self._settings.input: np.stack([picture.row for picture in pictures])}
        rows = self._session.run([self._settings.output], feeds)[0]
        return [self._found(*row) for row in zip(rows, pictures, strict=True)]

    def _found(self, output: NDArray[np.float32], picture: Prepared) -> Boxes:
        boxes = decode(output, self._settings)
        bounds = np.array([picture.width, picture.height] * 2, np.float32)
        return Boxes((boxes.corners / np.float32(picture.scale)).clip(0, bounds), boxes.scores, boxes.classes)


def tensors(found: Sequence[Boxes], labels: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The outputs of the public signature for the boxes of several pictures, a row each."""
    most = max(map(len, found))
    boxes = np.zeros((len(found), most, 4), dtype=np.float32)
    scores = np.zeros((len(found), most), dtype=np.float32)
    names = np.full((len(found), most), b"", dtype=np.object_)
    for row, one in enumerate(found):
        boxes[row, : len(one)] = one.corners
        scores[row, : len(one)] = one.scores
        names[row, : len(one)] = [labels[index].encode() for index in one.classes]
    return {"boxes": boxes, "scores": scores, "labels": names}
