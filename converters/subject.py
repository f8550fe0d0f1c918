"""What the search needs to know about one model; each task makes a subject of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np
import onnx
from numpy.typing import NDArray

from registry.spec.certificate import Data
from registry.spec.session import Feeds, Session

Model = Mapping[str, Session]
"""The open graphs of a model by part: most have only the part `model`."""


class Split(StrEnum):
    """Which data a model is judged on: the search chooses by one, the certificate is about the other."""

    SELECTION = "selection"
    HELD_OUT = "held out"


@dataclass(frozen=True)
class Sample:
    """Inputs of one part's graph. Every position counts in calibration: a sample holds no padding."""

    part: str
    feeds: Feeds


@dataclass(frozen=True)
class Figure:
    """One criterion of the task over a set of samples: FP64 values [samples], and weights [samples] where they differ.

    The figure is the weighted mean. A character error is errors ÷ characters weighted by the characters.
    """

    name: str
    values: NDArray[np.float64]
    weights: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Load:
    """What latency is measured with: the inputs of each part for one request, and what they are in words.

    `samples` are run one after the other; a model of several parts is timed as a whole.
    """

    label: str
    samples: tuple[Sample, ...]


@runtime_checkable
class OwnLoss(Protocol):
    """A subject that knows better than the energy of outputs by how much a candidate's answers are off."""

    def loss(self, wanted: Sequence[Sequence[NDArray[Any]]], got: Sequence[Sequence[NDArray[Any]]]) -> float:
        """The disagreement of the outputs of all selection samples, 0 where there is none."""
        ...


class Subject(Protocol):
    """A model under conversion, as its task sees it."""

    @property
    def graphs(self) -> Mapping[str, onnx.ModelProto]:
        """The float graph of each part."""
        ...

    @property
    def data(self) -> Mapping[str, Data]:
        """What the data is: `calibration`, `selection` and `held out`."""
        ...

    @property
    def loads(self) -> tuple[Load, ...]:
        """The batches that latency is measured with."""
        ...

    def calibration(self) -> Iterator[Sample]:
        """The samples whose activations set the scales, from the first again at every call."""
        ...

    def selection(self) -> Iterator[Sample]:
        """A few samples of the selection data, to rank layers by the error of the graphs' own outputs."""
        ...

    def judge(self, model: Model, split: Split) -> list[Figure]:
        """Every criterion of the task, paired against the FP32 original, which is run once for each split."""
        ...
