"""The task `classification`: an input, and how likely each of the model's labels is for it.

Signature: the graph's own inputs as tensors, or for the kind `bytes` one input `content` BYTES [1], of which the model
reads the beginning and the end; outputs `probabilities` FP32 [labels] and `labels` BYTES [labels], their names in the
same order; all behind one batch dimension.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.spec.session import Feeds, Session, open_graph
from registry.spec.signature import DataType, Signature, TensorSpec
from registry.spec.task import Criterion, Modality, Task, Unit

TASK = Task(
    name="classification",
    title="Classification",
    input=Modality.DOCUMENT,
    output=Modality.TENSOR,
    units=(Unit("requests", billed=True, meaning="rows answered"),),
    criteria=(
        Criterion("agreement", "share of samples whose first label is FP32's", 0.99),
        Criterion("kl_divergence", "how far the probabilities are from FP32's, in nats", None, higher_is_better=False),
    ),
)

_TINY = 1e-12
_SUM_TOLERANCE = 1e-3
_WORST = 30.0  # nats: what probabilities that are not numbers are away from any others


def signature(inputs: Sequence[TensorSpec], labels: int) -> Signature:
    """The public signature of a model that takes `inputs` and knows `labels` labels."""
    outputs = (TensorSpec("probabilities", DataType.FP32, (labels,)), TensorSpec("labels", DataType.BYTES, (labels,)))
    return Signature(tuple(inputs), outputs)


CONTENT = TensorSpec("content", DataType.BYTES, (1,))
"""The public input of the kind `bytes`: a file's content."""


@dataclass(frozen=True)
class ByteWindows:
    """Which bytes of a content a model reads: `first` from its beginning and `last` from its end.

    White space around the content does not count, as far as it lies in the outermost `block` bytes; what a short
    content lacks is filled with `padding`. It is how magika 1.0 makes features (its `beg_size`, `end_size`,
    `block_size` and `padding_token`).
    """

    first: int = 1024
    last: int = 1024
    block: int = 4096
    padding: int = 256

    @property
    def width(self) -> int:
        """Elements of one row."""
        return self.first + self.last

    def rows(self, contents: Sequence[bytes]) -> NDArray[np.int32]:
        """What the model reads of each of `contents`, INT32 [contents, width]: bytes, and padding between them."""
        rows = np.full((len(contents), self.width), self.padding, dtype=np.int32)
        for row, content in zip(rows, contents, strict=True):
            begin = np.frombuffer(content[: self.block].lstrip()[: self.first], dtype=np.uint8)
            end = np.frombuffer(content[-self.block :].rstrip(), dtype=np.uint8)
            end = end[max(0, len(end) - self.last) :]
            row[: len(begin)] = begin
            row[self.width - len(end) :] = end
        return rows


@dataclass(frozen=True)
class ClassificationSettings:
    """How a classifier's graph is fed and read.

    `output` is its output of scores, `labels` the names of them. A classifier of the kind `bytes` has `windows`, and
    reads them from its only input `input`, INT64 where `wide`, else INT32; any other takes its inputs as they are.
    """

    output: str
    labels: tuple[str, ...]
    windows: ByteWindows | None = None
    input: str = ""
    wide: bool = False


class Classifier:
    """An open graph with its settings; rows in, the public outputs of each out."""

    def __init__(self, session: Session, settings: ClassificationSettings) -> None:
        self._session = session
        self._settings = settings
        self._names = np.array([label.encode() for label in settings.labels], dtype=np.object_)

    @classmethod
    def open(cls, directory: Path, settings: ClassificationSettings, threads: int, *, exact_x86: bool) -> Classifier:
        """The published classifier in `directory`."""
        return cls(open_graph(directory, "model", threads, exact_x86=exact_x86), settings)

    def features(self, contents: Sequence[bytes]) -> Feeds:
        """What the graph reads of each of `contents`. Only for the kind `bytes`."""
        assert self._settings.windows is not None, "the graph does not read bytes"
        rows = self._settings.windows.rows(contents)
        return {self._settings.input: rows.astype(np.int64) if self._settings.wide else rows}

    def classify(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """The outputs of the public signature for the rows of `feeds`."""
        found = probabilities(self._session.run([self._settings.output], feeds)[0])
        return {"probabilities": found.astype(np.float32), "labels": np.tile(self._names, (len(found), 1))}


def probabilities(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """A graph's output [rows, labels] as probabilities: as it is where every row is a distribution, else its softmax.

    A single column is how likely the second of two labels is, as a sigmoid gives it; the first has the rest. A row with
    a value that is not a number is not a number throughout.
    """
    scores = values.astype(np.float64)
    if scores.shape[1] == 1:
        likely = np.clip(scores, 0.0, 1.0)
        return np.concatenate([1.0 - likely, likely], axis=1)
    sums = scores.sum(axis=1)
    if (scores >= 0).all() and (np.abs(sums - 1) < _SUM_TOLERANCE).all():
        exact: NDArray[np.float64] = scores / sums[:, None]
        return exact
    return softmax(scores)


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of `scores` [rows, labels]; a row with a score that is not a number is not a number throughout."""
    finite = np.isfinite(scores).all(axis=1, keepdims=True)
    safe = np.where(finite, scores, 0.0)
    powers = np.exp(safe - safe.max(axis=1, keepdims=True))
    result: NDArray[np.float64] = np.where(finite, powers / powers.sum(axis=1, keepdims=True), np.nan)
    return result


def top(probable: NDArray[np.float64], count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The `count` likeliest labels of each row, likeliest first, the smaller number first where two are as likely.

    Labels INT64 and their probabilities FP64, both [rows, count].
    """
    labels = np.argsort(-probable, axis=1, kind="stable")[:, :count].astype(np.int64)
    return labels, np.take_along_axis(probable, labels, axis=1)


@dataclass(frozen=True)
class Agreement:
    """How well a candidate's probabilities stand in for the original's, FP64 [rows] each.

    `first_label` is 1 where the likeliest label stayed the same; `divergence` is Kullback and Leibler's, of the
    original from the candidate, in nats.
    """

    first_label: NDArray[np.float64]
    divergence: NDArray[np.float64]


def compare(reference: NDArray[np.float64], candidate: NDArray[np.float64]) -> Agreement:
    """Judge probabilities `candidate` [rows, labels] against `reference` of the same shape.

    A row of the candidate that is not a number throughout agrees with nothing.
    """
    if reference.shape != candidate.shape:
        raise ValueError(f"two equal sets of rows are needed, not {reference.shape} and {candidate.shape}")
    known = np.isfinite(candidate).all(axis=1)
    safe = np.where(known[:, None], candidate, 1.0)
    same = (reference.argmax(axis=1) == safe.argmax(axis=1)) & known
    ratio = np.log(np.maximum(reference, _TINY)) - np.log(np.maximum(safe, _TINY))
    divergence = np.maximum((reference * ratio).sum(axis=1), 0.0)
    return Agreement(same.astype(np.float64), np.where(known, divergence, _WORST))
