"""Measures candidates: how far their answers are from float's, what the task says of them, how long they take."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from converters.errors import ConversionFailed
from converters.search.journal import Journal
from converters.search.recipe import Recipe
from converters.search.workshop import Workshop
from converters.steps import accuracy, audit, latency
from converters.steps.accuracy import Bounds
from converters.steps.bootstrap import CONFIDENCE
from converters.steps.run import EngineRefused
from converters.subject import Model, OwnLoss, Sample, Split, Subject
from registry.spec.certificate import Arithmetic, Engine, Latency, Metric, Point
from registry.spec.task import Criterion

log = logging.getLogger(__name__)

FLOAT = Recipe("float", Arithmetic.FLOAT32, Engine.ONNXRUNTIME, {})

_UNLIKE = 10.0
"""The loss of answers that cannot be compared: of another shape, not numbers, or none at all."""

_QUICK_PAIRS = 5


@dataclass(frozen=True)
class Judgement:
    """A candidate's figures, and the share of the accuracy budget that the worst of them uses."""

    metrics: list[Metric]
    used: float

    @property
    def passed(self) -> bool:
        """Whether every figure keeps its bound."""
        return all(metric.passed for metric in self.metrics)


class Bench:
    """Everything that is measured goes through the journal, so that nothing is measured twice.

    What an engine does not take raises EngineRefused where figures or times were asked for; a loss is then the worst
    there is. Where that is the float graph itself, there is nothing to measure against: ConversionFailed.
    """

    def __init__(
        self,
        subject: Subject,
        workshop: Workshop,
        journal: Journal,
        criteria: Sequence[Criterion],
        limits: Bounds,
        *,
        threads: int,
        seed: int,
    ) -> None:
        self._subject = subject
        self._workshop = workshop
        self._journal = journal
        self._criteria = criteria
        self._limits = limits
        self._threads = threads
        self._seed = seed
        self._floating: Model | None = None
        self._samples: list[Sample] = []
        self._wanted: list[list[NDArray[Any]]] = []

    def loss(self, recipe: Recipe) -> float:
        """How far the graphs' own outputs on the selection samples are from float's: the energy that is lost."""
        return self._journal.once(f"loss {recipe.key}", float, lambda: self._loss(recipe))

    def harm(self, recipe: Recipe, part: str) -> float:
        """The loss of one part, for a recipe that changes no other: with three parts in a third of the time."""
        return self._journal.once(f"harm {part} {recipe.key}", float, lambda: self._harm(recipe, part))

    def judge(self, recipe: Recipe, split: Split, confidence: float = CONFIDENCE) -> Judgement:
        """The task's figures, paired against the original, with intervals of `confidence`."""
        metrics: list[Metric] = self._journal.once(
            f"judge {split} {confidence} {recipe.key}", list[Metric], lambda: self._judge(recipe, split, confidence)
        )
        return Judgement(metrics, accuracy.budget_used(metrics, self._criteria))

    def point(self, recipe: Recipe) -> Point:
        """Where a candidate lies: its figures on the selection data, its time and its size beside float's."""
        judgement = self.judge(recipe, Split.SELECTION)
        return point_of(recipe, judgement, self.latency(recipe, quick=True), self.size(recipe) / self.size(FLOAT))

    def latency(self, recipe: Recipe, *, quick: bool = False) -> list[Latency]:
        """The loads of the subject, on one thread, in turns with the original graph in ONNX Runtime."""
        if quick:  # what a number is does not change how long it takes
            return self._journal.once(f"quick {recipe.form}", list[Latency], lambda: self._latency(recipe, True))
        return self._journal.once(f"latency {recipe.key}", list[Latency], lambda: self._latency(recipe, False))

    def size(self, recipe: Recipe) -> int:
        """Bytes of the candidate's files."""
        return self._journal.once(f"size {recipe.key}", int, lambda: self._workshop.make(recipe).size)

    def check(self, recipe: Recipe) -> None:
        """Raise EngineRefused where its engine does not take the candidate. The journal does not keep that."""
        self._outputs(self._workshop.make(recipe).open(self._threads), self._selection()[:1])

    def runs_in_integers(self, recipe: Recipe) -> bool:
        """Whether its engine runs nearly all of the candidate's products in integers. Raises EngineRefused."""
        return self._journal.once(
            f"integers {recipe.key}",
            bool,
            lambda: audit.runs_quantized(self._workshop.operators(recipe), recipe.products),
        )

    def _selection(self) -> list[Sample]:
        if not self._samples:
            self._samples = list(self._subject.selection())
        return self._samples

    def _loss(self, recipe: Recipe) -> float:
        wanted, candidate = self._reference(), self._workshop.make(recipe)
        try:
            got = self._outputs(candidate.open(self._threads), self._selection())
        except EngineRefused:
            log.info("%s is refused", recipe.name, exc_info=True)
            return _UNLIKE
        if isinstance(self._subject, OwnLoss):
            return self._subject.loss(wanted, got)
        losses = [self._part_loss(part, got) for part in self._subject.graphs]
        known = [loss for loss in losses if loss is not None]
        return math.fsum(known) / len(known)

    def _harm(self, recipe: Recipe, part: str) -> float:
        if isinstance(self._subject, OwnLoss):
            return self._loss(recipe)
        self._reference()  # where float itself is refused, no layer is to blame
        candidate = self._workshop.make(recipe)
        try:
            session = {part: candidate.open_part(part, self._threads)}
            answers = iter(self._outputs(session, [sample for sample in self._selection() if sample.part == part]))
        except EngineRefused:
            log.info("%s is refused", recipe.name, exc_info=True)
            return _UNLIKE
        got = [next(answers) if sample.part == part else [] for sample in self._selection()]
        return self._part_loss(part, got) or 0.0

    def _part_loss(self, part: str, got: Sequence[Sequence[NDArray[Any]]]) -> float | None:
        """A part by itself: parts differ in the number and shape of their outputs. None for one without samples."""
        chosen = [index for index, sample in enumerate(self._selection()) if sample.part == part]
        if not chosen:
            return None
        wanted, outputs = [self._reference()[i] for i in chosen], [got[i] for i in chosen]
        return relative_error(wanted, outputs, channel_axes(self._subject.graphs[part]))

    def _reference(self) -> list[list[NDArray[Any]]]:
        if not self._wanted:
            try:
                self._wanted = self._outputs(self._float_model(), self._selection())
            except EngineRefused as error:
                raise float_refused(error) from error
        return self._wanted

    @staticmethod
    def _outputs(model: Model, samples: Sequence[Sample]) -> list[list[NDArray[Any]]]:
        return [model[sample.part].run(None, sample.feeds) for sample in samples]

    def _judge(self, recipe: Recipe, split: Split, confidence: float) -> list[Metric]:
        figures = self._subject.judge(self._workshop.make(recipe).open(self._threads), split)
        return accuracy.metrics(figures, self._criteria, self._limits, self._seed, confidence)

    def _latency(self, recipe: Recipe, quick: bool) -> list[Latency]:
        candidate = self._workshop.make(recipe).open(1)
        floating = self._float_model() if self._threads == 1 else self._workshop.make(FLOAT).open(1)
        pairs = {"pairs": _QUICK_PAIRS} if quick else {}
        return latency.measure(floating, candidate, self._subject.loads, self._seed, **pairs)

    def _float_model(self) -> Model:
        if self._floating is None:
            self._floating = self._workshop.make(FLOAT).open(self._threads)
        return self._floating


def float_refused(error: EngineRefused) -> ConversionFailed:
    """The error for a model whose float graph does not run, so that there is nothing to publish."""
    return ConversionFailed(
        f"ONNX Runtime does not run the float graph on the samples: {error.brief}.",
        "Check that the model runs with onnxruntime on inputs of the shapes that it declares, and export it again.",
    )


def relative_error(
    wanted: Sequence[Sequence[NDArray[Any]]], got: Sequence[Sequence[NDArray[Any]]], axes: Sequence[int]
) -> float:
    """How much of the outputs' energy is lost: squared error over square, mean over channels and outputs; at most 10.

    `axes` has the channel axis of each output. A channel counts by its own energy and the mean channel's: strong ones
    do not hide the others, and the noise of channels that never answer, as most of a vocabulary, hides nothing. Where
    what is wanted is no finite number, as logits that are masked, the same must be there, and the rest is compared.
    """
    losses = []
    for index, axis in enumerate(axes):
        pairs = [(one[index], other[index]) for one, other in zip(wanted, got, strict=True)]
        if not np.issubdtype(pairs[0][0].dtype, np.floating):
            continue
        if not all(_comparable(one, other) for one, other in pairs):
            return _UNLIKE
        pairs = [(_finite(one), _finite(other)) for one, other in pairs]
        errors = np.sum([_energy(other - one, axis) for one, other in pairs], axis=0)
        energy = np.sum([_energy(one, axis) for one, _ in pairs], axis=0)
        losses.append(float((errors / np.maximum(energy + energy.mean(), 1e-12)).mean()))
    return min(_UNLIKE, math.fsum(losses) / len(losses)) if losses else 0.0


def _comparable(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two answers are of the same shape, and not finite in the same places in the same way."""
    if one.shape != other.shape:
        return False
    places = ~(np.isfinite(one) & np.isfinite(other))
    return np.array_equal(one[places], other[places], equal_nan=True)


def _finite(values: NDArray[Any]) -> NDArray[Any]:
    return np.where(np.isfinite(values), values, 0)


def channel_axes(graph: onnx.ModelProto) -> list[int]:
    """The axis of each output that holds its channels: the first behind the batch that does not vary.

    Where all of them vary there is no such axis, and the output counts as one channel.
    """
    return [_channel_axis(value.type.tensor_type.shape.dim) for value in graph.graph.output]


def _channel_axis(dimensions: Sequence[onnx.TensorShapeProto.Dimension]) -> int:
    fixed = (axis for axis, dim in enumerate(dimensions) if axis > 0 and dim.dim_value > 1)
    return next(fixed, len(dimensions))


def _energy(values: NDArray[Any], axis: int) -> NDArray[np.float64]:
    """The sum of squares of each channel; of all where there is no such axis."""
    squares = np.square(values, dtype=np.float64)
    if axis >= squares.ndim:
        return np.array([squares.sum()])
    energy: NDArray[np.float64] = squares.sum(axis=tuple(i for i in range(squares.ndim) if i != axis))
    return energy


def point_of(recipe: Recipe, judgement: Judgement, latency: Sequence[Latency], size_ratio: float) -> Point:
    """A candidate as the certificate's curve has it."""
    return Point(
        name=recipe.name,
        arithmetic=recipe.arithmetic,
        engine=recipe.engine,
        loss=judgement.used,
        figures={metric.name: metric.value for metric in judgement.metrics},
        latency_ratio=speed(latency),
        size_ratio=size_ratio,
        passed=judgement.passed,
        chosen=False,
    )


def speed(found: Sequence[Latency]) -> float:
    """The geometric mean of the ratios: 0.5 is half of float's time."""
    return math.exp(math.fsum(math.log(entry.ratio) for entry in found) / len(found)) if found else 1.0
