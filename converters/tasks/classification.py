"""Classifiers: contents of files, or rows of tensors, and whether the first label stays FP32's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import DTypeLike, NDArray

from converters.errors import SourceInvalid
from converters.samples.contents import CALIBRATION, contents
from converters.sources.files import read_object, whole
from converters.subject import Figure, Load, Model, Sample, Split
from registry.spec.certificate import Data
from registry.spec.classification import ByteWindows, compare, probabilities
from registry.spec.session import Feeds, Session

PART = "model"

_BATCH = 32  # rows of one run while judging: a convolution over 2048 bytes takes 2 MB a row
_SELECTED = 64  # rows that layers are ranked by
_LOADS = (1, 8)
_CONFIGS = ("config.min.json", "config.json")
_INTEGERS: Mapping[int, DTypeLike] = {onnx.TensorProto.INT32: np.int32, onnx.TensorProto.INT64: np.int64}


@dataclass(frozen=True)
class Rows:
    """Inputs of a classifier by name, rows first in each, and what they are."""

    feeds: Feeds
    data: Data

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.feeds.values())))

    def part(self, start: int, count: int) -> Feeds:
        """`count` rows from `start` on."""
        return {name: value[start : start + count] for name, value in self.feeds.items()}


class ClassificationSubject:
    """A classifier under conversion: one graph, whose first output FP32 [rows, labels] is what it says.

    `rows` are the three sets: `calibration`, and those of `Split`.
    """

    def __init__(self, graph: onnx.ModelProto, original: Session, rows: Mapping[str, Rows]) -> None:
        self._graph = graph
        self._output = graph.graph.output[0].name
        self._rows = rows
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
    def loads(self) -> tuple[Load, ...]:
        """One row and several, out of those that calibrate."""
        return tuple(self._load(count) for count in _LOADS)

    def calibration(self) -> Iterator[Sample]:
        """Batches of rows, all of which count."""
        rows = self._rows[CALIBRATION]
        return (Sample(PART, rows.part(start, _BATCH)) for start in range(0, rows.count, _BATCH))

    def selection(self) -> Iterator[Sample]:
        """The first rows of the selection, which is in no order."""
        rows = self._rows[Split.SELECTION]
        return (Sample(PART, rows.part(start, _BATCH)) for start in range(0, min(rows.count, _SELECTED), _BATCH))

    def judge(self, model: Model, split: Split) -> list[Figure]:
        """Whether the first label is the original's, and how far the probabilities are from its."""
        agreement = compare(self._references[split], self._labels(model[PART], self._rows[split]))
        return [Figure("agreement", agreement.first_label), Figure("kl_divergence", agreement.divergence)]

    def _labels(self, session: Session, rows: Rows) -> NDArray[np.float64]:
        values = [session.run([self._output], rows.part(start, _BATCH))[0] for start in range(0, rows.count, _BATCH)]
        return probabilities(np.concatenate(values).reshape(rows.count, -1))

    def _load(self, count: int) -> Load:
        feeds = self._rows[CALIBRATION].part(0, count)
        sizes = " + ".join(" × ".join(map(str, (count, *value.shape[1:]))) for value in feeds.values())
        return Load(sizes, (Sample(PART, feeds),))


def content_rows(graph: onnx.ModelProto, windows: ByteWindows, seed: int) -> dict[str, Rows]:
    """The built-in contents of files as rows of a graph that reads bytes. Raises SourceInvalid for any other graph."""
    name, dtype = _byte_input(graph, windows)
    return {
        part: Rows({name: windows.rows(found.contents).astype(dtype)}, found.data())
        for part, found in contents(seed).items()
    }


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


def read_labels(source: Path) -> Sequence[str]:
    """The names of the labels, out of the same configuration; empty where it names none."""
    for name in _CONFIGS:
        labels = read_object(source / name, required=False).get("target_labels_space")
        if isinstance(labels, list) and all(isinstance(label, str) for label in labels):
            return tuple(labels)
    return ()


def _byte_input(graph: onnx.ModelProto, windows: ByteWindows) -> tuple[str, DTypeLike]:
    constants = {tensor.name for tensor in graph.graph.initializer}
    inputs = [value for value in graph.graph.input if value.name not in constants]
    shape = [dimension.dim_value for dimension in inputs[0].type.tensor_type.shape.dim] if inputs else []
    dtype = _INTEGERS.get(inputs[0].type.tensor_type.elem_type) if inputs else None
    if len(inputs) != 1 or dtype is None or shape[1:] != [windows.width]:
        raise SourceInvalid(
            f"The graph does not read {windows.width} bytes of a content.",
            "It takes one input, INT32 or INT64 [rows, beg_size + end_size].",
        )
    return inputs[0].name, dtype
