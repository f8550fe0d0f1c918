"""Classifiers: contents of files, or rows of tensors, and whether the first label stays FP32's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import DTypeLike, NDArray

from converters.errors import SourceInvalid
from converters.samples.contents import CALIBRATION, Contents, contents
from converters.samples.split import Part, apart
from converters.samples.uploaded import Uploaded
from converters.samples.uploaded_contents import content_key
from converters.samples.uploaded_tensors import Row
from converters.sources.files import read_object, whole
from converters.steps.graph import Graph, graph_inputs
from converters.subject import Figure, Load, Model, Sample, Split
from registry.spec.certificate import Data
from registry.spec.classification import ByteWindows, ClassificationSettings, compare, probabilities
from registry.spec.session import Feeds, Session

PART = "model"

_BATCH = 32  # rows of one run while judging: a convolution over 2048 bytes takes 2 MB a row
_SELECTED = 64  # rows that layers are ranked by
_LOADS = (1, 8)
_CONFIGS = ("config.min.json", "config.json")
_INTEGERS: Mapping[int, DTypeLike] = {onnx.TensorProto.INT32: np.int32, onnx.TensorProto.INT64: np.int64}


_SHAPING = {"Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Cast"}
"""Operators behind which a sigmoid's answer is one still."""


@dataclass(frozen=True)
class Rows:
    """Inputs of a classifier, and what they are: groups of rows of one shape, by name and with the rows in front."""

    groups: tuple[Feeds, ...]
    data: Data

    @classmethod
    def of(cls, rows: Iterable[Row], data: Data) -> Rows:
        """`rows`, those together that have the same shapes."""
        groups: dict[tuple[tuple[int, ...], ...], list[Row]] = {}
        for row in rows:
            groups.setdefault(tuple(value.shape for value in row.values()), []).append(row)
        return cls(
            tuple({n: np.concatenate([row[n] for row in same]) for n in same[0]} for same in groups.values()), data
        )

    def batches(self) -> Iterator[Feeds]:
        """All rows, at most 32 at a time."""
        for group in self.groups:
            for start in range(0, _count(group), _BATCH):
                yield {name: value[start : start + _BATCH] for name, value in group.items()}

    def repeated(self, count: int) -> Feeds:
        """`count` rows of the shape that most have."""
        return {
            name: np.resize(value, (count, *value.shape[1:])) for name, value in max(self.groups, key=_count).items()
        }


class ClassificationSubject:
    """A classifier under conversion: one graph, whose first output FP32 [rows, labels] is what it says.

    A single column has to be a sigmoid's. `rows` are the three sets: `calibration`, and those of `Split`. Raises
    SourceInvalid for a graph that answers anything else.
    """

    def __init__(self, graph: onnx.ModelProto, original: Session, rows: Mapping[str, Rows]) -> None:
        self._graph = graph
        self._output = graph.graph.output[0].name
        self._rows = rows
        _check_scores(graph, original.run([self._output], next(rows[Split.SELECTION].batches()))[0])
        self._references = {split: self._labels(original, rows[split]) for split in Split}

    @property
    def graphs(self) -> Mapping[str, onnx.ModelProto]:
        """One graph."""
        return {PART: self._graph}

    @property
    def data(self) -> Mapping[str, Data]:
        """The three sets of rows."""
        return {name: rows.data for name, rows in self._rows.items()}

    @property
    def labels(self) -> int:
        """How many labels the graph knows."""
        return self._references[Split.SELECTION].shape[1]

    def first_rows(self, count: int) -> Feeds:
        """The first rows of the selection data that have one shape."""
        return {name: value[:count] for name, value in next(self._rows[Split.SELECTION].batches()).items()}

    @cached_property
    def loads(self) -> tuple[Load, ...]:
        """One row and several, out of those that calibrate."""
        return tuple(self._load(count) for count in _LOADS)

    def calibration(self) -> Iterator[Sample]:
        """Batches of rows, all of which count."""
        return (Sample(PART, feeds) for feeds in self._rows[CALIBRATION].batches())

    def selection(self) -> Iterator[Sample]:
        """The first rows of the selection, which is in no order."""
        left = _SELECTED
        for feeds in self._rows[Split.SELECTION].batches():
            if left <= 0:
                return
            left -= _count(feeds)
            yield Sample(PART, feeds)

    def judge(self, model: Model, split: Split) -> list[Figure]:
        """Whether the first label is the original's, and how far the probabilities are from its."""
        agreement = compare(self._references[split], self._labels(model[PART], self._rows[split]))
        return [Figure("agreement", agreement.first_label), Figure("kl_divergence", agreement.divergence)]

    def _labels(self, session: Session, rows: Rows) -> NDArray[np.float64]:
        return probabilities(np.concatenate([session.run([self._output], feeds)[0] for feeds in rows.batches()]))

    def _load(self, count: int) -> Load:
        feeds = self._rows[CALIBRATION].repeated(count)
        sizes = " + ".join(" × ".join(map(str, (count, *value.shape[1:]))) for value in feeds.values())
        return Load(sizes, (Sample(PART, feeds),))


def content_rows(
    graph: onnx.ModelProto, windows: ByteWindows, seed: int, own: Uploaded[bytes] | None = None
) -> dict[str, Rows]:
    """Contents of files, built-in or the owner's, as rows of a graph that reads bytes.

    All purposes are the owner's where there are enough of them, fewer only calibrate. Raises SourceInvalid for a graph
    that reads anything else.
    """
    name, dtype = _byte_input(graph, windows)

    def rows(found: Sequence[bytes], data: Data) -> Rows:
        return Rows(({name: windows.rows(found).astype(dtype)},), data)

    if own is not None and own.judges:
        parts = {part.value: own.part(part) for part in Part}
        return {part: rows(found.items, found.data()) for part, found in parts.items()}
    built_in = contents(seed)
    if own is None:
        return {part: rows(found.contents, found.data()) for part, found in built_in.items()}
    judging = {part: _without(found, own.keys) for part, found in built_in.items() if part != CALIBRATION}
    return {
        CALIBRATION: rows(own.items, own.data()),
        **{part: rows(found.contents, found.data()) for part, found in judging.items()},
    }


def _without(found: Contents, keys: Sequence[str]) -> Contents:
    return Contents(tuple(apart(found.contents, content_key, keys)), found.description)


def read_windows(source: Path) -> ByteWindows | None:
    """Which bytes the model in `source` reads, out of a configuration as magika writes it; None where there is none."""
    config: dict[str, Any] = {}
    for name in _CONFIGS:
        config = config or read_object(source / name, required=False)
    if not {"beg_size", "end_size"} <= set(config):
        return None
    limits = (("beg_size", 0, 2**16), ("end_size", 0, 2**16), ("block_size", 1, 2**20), ("padding_token", 0, 2**16))
    sizes = [whole(config.get(key), low, high) for key, low, high in limits]
    if None in sizes or config.get("mid_size") or config.get("use_inputs_at_offsets"):
        raise SourceInvalid(
            "The configuration asks for bytes that Conch does not read.",
            "beg_size, end_size, block_size and padding_token are whole numbers; mid_size is 0, and "
            "use_inputs_at_offsets false.",
        )
    first, last, block, padding = (size for size in sizes if size is not None)
    return ByteWindows(first=first, last=last, block=block, padding=padding)


def read_labels(source: Path, count: int) -> tuple[str, ...]:
    """The names of the `count` labels, out of the same configuration; their numbers where it names none.

    Raises SourceInvalid where it names another number of them.
    """
    for name in _CONFIGS:
        labels = read_object(source / name, required=False).get("target_labels_space")
        if isinstance(labels, list) and all(isinstance(label, str) for label in labels):
            if len(labels) != count:
                raise SourceInvalid(
                    f"The configuration names {len(labels)} labels, and the graph answers {count}.",
                    f"Put the names of all labels into target_labels_space of {name}, in the order of the scores.",
                )
            return tuple(labels)
    return tuple(str(number) for number in range(count))


def read_settings(
    graph: onnx.ModelProto, windows: ByteWindows | None, labels: tuple[str, ...]
) -> ClassificationSettings:
    """How `graph` is fed and read. Raises SourceInvalid where there are `windows` that it does not read."""
    output = graph.graph.output[0].name
    if windows is None:
        return ClassificationSettings(output, labels)
    name, dtype = _byte_input(graph, windows)
    return ClassificationSettings(output, labels, windows, name, wide=dtype is np.int64)


def _byte_input(graph: onnx.ModelProto, windows: ByteWindows) -> tuple[str, DTypeLike]:
    inputs = graph_inputs(graph)
    shape = [dimension.dim_value for dimension in inputs[0].type.tensor_type.shape.dim] if inputs else []
    dtype = _INTEGERS.get(inputs[0].type.tensor_type.elem_type) if inputs else None
    if len(inputs) != 1 or dtype is None or shape[1:] != [windows.width]:
        raise SourceInvalid(
            f"The graph does not read {windows.width} bytes of a content.",
            "It takes one input, INT32 or INT64 [rows, beg_size + end_size].",
        )
    return inputs[0].name, dtype


def _count(group: Feeds) -> int:
    return len(next(iter(group.values())))


def _check_scores(graph: onnx.ModelProto, scores: object) -> None:
    """Raise SourceInvalid unless the first output can be read as a row of labels' scores for each row of the inputs."""
    if not isinstance(scores, np.ndarray) or not np.issubdtype(scores.dtype, np.floating) or scores.ndim != 2:
        answer = f"{scores.dtype} {list(scores.shape)}" if isinstance(scores, np.ndarray) else type(scores).__name__
        raise SourceInvalid(
            f"The graph's first output is {answer}, no score for each label.",
            "Export it with scores FP32 [rows, labels] as its first output (scikit-learn: probabilities in front, "
            "zipmap=False), or register it as the task tensor.",
        )
    if scores.shape[1] == 1 and not _ends_in_sigmoid(graph):
        raise SourceInvalid(
            "The graph's first output is one number a row, and no sigmoid makes it the probability of a label.",
            "Export it with the sigmoid, or with two columns; what is no classifier, register as the task tensor.",
        )


def _ends_in_sigmoid(graph: onnx.ModelProto) -> bool:
    indexed = Graph(graph)
    node = indexed.producer(graph.graph.output[0].name)
    while node is not None and node.op_type in _SHAPING:
        node = indexed.producer(node.input[0])
    return node is not None and node.op_type == "Sigmoid"
