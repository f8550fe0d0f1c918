"""The ladder of precisions of a decoder: recipes tried on the selection texts, the best judged on held-out ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters import decision
from converters.chat import generation, judge
from converters.chat.decoder import Decoder
from converters.chat.recipes import Recipe
from converters.chat.workshop import Workshop, size
from converters.job import Job
from converters.search.journal import Journal
from converters.steps import accuracy
from converters.steps.bootstrap import CONFIDENCE
from converters.subject import Split
from converters.tasks import attempts
from registry.spec.certificate import Arithmetic, Data, Engine, Latency, Metric, Point, Precision, Size
from registry.spec.chat import Reading

Tokens = Mapping[str, list[NDArray[np.int64]]]
"""The texts of each purpose, tokens INT64 [length] of two or more each: of one alone, nothing follows."""

_TRIAL_PAIRS = 5
_FINALISTS = 2
_HALF = 0.5  # of float's time for each token: INT8 is to write twice as fast
_SURELY_HALF = 0.46  # five pairs of trials on a busy machine vary by a tenth
_FLOAT = "float"


@dataclass(frozen=True)
class Variant:
    """A decoder that can be published: exactly the files in `directory`, and what was measured on held-out texts.

    `latency` is empty for float, which everything else is timed beside.
    """

    name: str
    arithmetic: Arithmetic
    directory: Path
    accuracy: list[Metric]
    latency: list[Latency]
    size: Size

    @property
    def objection(self) -> str | None:
        """Why it is not to be published, as a clause; None where it is accurate enough and writes twice as fast."""
        if short := decision.failing(self.accuracy):
            return f"it is over the accuracy budget: {short}"
        if self.latency and self.latency[0].ratio_high > _HALF:
            return f"it takes {decision.ratios(self.latency)} of float's time"
        return None


@dataclass(frozen=True)
class ChatConverted:
    """The best decoder of each arithmetic, None where none was tried; `floating` is judged where INT8 is objected to.

    `curve` has every recipe that was tried, on the selection texts; chosen is the one that serves. `cut_short` says
    whether the time limit kept a recipe of INT8 from being tried or judged.
    """

    int8: Variant | None
    int4: Variant | None
    floating: Variant | None
    curve: list[Point]
    data: Mapping[str, Data]
    cut_short: bool


@dataclass(frozen=True)
class _Trial:
    """A recipe on the selection texts; `ratio` is of float's time for each token written."""

    recipe: Recipe
    accuracy: list[Metric]
    ratio: float
    size: Size

    @property
    def loss(self) -> float:
        """The share of the accuracy budget that is used."""
        return judge.budget_used(self.accuracy)

    @property
    def passed(self) -> bool:
        """As far as the selection can tell."""
        return all(metric.passed for metric in self.accuracy) and self.ratio <= _HALF


@dataclass(frozen=True)
class _Best:
    """The best of one arithmetic, None where none was tried, and how many were objected to on held-out texts.

    `cut_short` says whether there was no time for another.
    """

    variant: Variant | None
    objected: int
    cut_short: bool = False


@dataclass(frozen=True)
class Ladder:
    """One way down, from the float decoder on. Everything that is measured goes through the journal."""

    job: Job
    journal: Journal
    workshop: Workshop
    limits: accuracy.Bounds
    tokens: Tokens
    references: Mapping[str, list[Reading]]
    data: Mapping[str, Data]

    def run(self) -> ChatConverted:
        """Try the recipes on the selection texts, and measure the best of each arithmetic on held-out ones."""
        int8, int4 = _Best(None, 0), _Best(None, 0)
        eights: list[_Trial] = []
        fours: list[_Trial] = []
        cut_short = False
        if self.job.request.precision is Precision.INT8:
            eights = self._tried(Arithmetic.INT8_WEIGHTS, 0.3)
            int8 = self._best(eights, 0)
            cut_short = len(eights) < len(self._recipes(Arithmetic.INT8_WEIGHTS)) or int8.cut_short
            fours = self._tried(Arithmetic.INT4_WEIGHTS, 0.6)
            int4 = self._best([] if attempts.is_out_of_time(self.job) else fours, int8.objected)
        served = int8.variant.name if int8.variant is not None and int8.variant.objection is None else None
        return ChatConverted(
            int8=int8.variant,
            int4=int4.variant,
            floating=None if served is not None else self._floating(int8.objected),
            curve=[_point(trial, chosen=trial.recipe.name == served) for trial in (*eights, *fours)],
            data=self.data,
            cut_short=cut_short,
        )

    def _recipes(self, arithmetic: Arithmetic) -> list[Recipe]:
        return [recipe for recipe in self.workshop.recipes() if recipe.arithmetic is arithmetic]

    def _tried(self, arithmetic: Arithmetic, done: float) -> list[_Trial]:
        """The recipes of one arithmetic on the selection texts, as many as there is time for."""
        found: list[_Trial] = []
        for recipe in self._recipes(arithmetic):
            if attempts.is_out_of_time(self.job):
                break
            self.job.reporter.step("search", f"trying {recipe.name}", done + 0.05 * len(found))
            found.append(self._try(recipe))
        return found

    def _try(self, recipe: Recipe) -> _Trial:
        metrics = self._metrics(recipe.name, lambda: self.workshop.make(recipe), Split.SELECTION, CONFIDENCE)
        latency = self.journal.once(f"quick {recipe.name}", list[Latency], lambda: self._latency(recipe, _TRIAL_PAIRS))
        return _Trial(recipe, metrics, latency[0].ratio, self._size(recipe))

    def _best(self, trials: list[_Trial], earlier: int) -> _Best:
        """The first in order without an objection on held-out texts, of two at most; the first of all where none is.

        `earlier` is how many others have been objected to on those texts.
        """
        variants: list[Variant] = []
        for trial in sorted(trials, key=_order)[:_FINALISTS]:
            if variants and attempts.is_out_of_time(self.job):
                return _Best(variants[0], len(variants), cut_short=True)
            self.job.reporter.step("accuracy", f"judging {trial.recipe.name} on held-out texts")
            variant = self._variant(trial.recipe, accuracy.confidence_after(earlier + len(variants)))
            if variant.objection is None:
                return _Best(variant, len(variants))
            variants.append(variant)
        return _Best(variants[0] if variants else None, len(variants))

    def _variant(self, recipe: Recipe, confidence: float) -> Variant:
        directory = self.workshop.make(recipe)
        return Variant(
            name=recipe.name,
            arithmetic=recipe.arithmetic,
            directory=directory,
            accuracy=self._metrics(recipe.name, lambda: directory, Split.HELD_OUT, confidence),
            latency=self.journal.once(f"latency {recipe.name}", list[Latency], lambda: self._latency(recipe)),
            size=self._size(recipe),
        )

    def _floating(self, earlier: int) -> Variant:
        """The float decoder against torch: that its graph is the model, nobody else has shown."""
        self.job.reporter.step("accuracy", "judging the float decoder on held-out texts")
        directory = self.workshop.floating
        confidence, whole = accuracy.confidence_after(earlier), size(directory)
        return Variant(
            name=_FLOAT,
            arithmetic=Arithmetic.FLOAT32,
            directory=directory,
            accuracy=self._metrics(_FLOAT, lambda: directory, Split.HELD_OUT, confidence),
            latency=[],
            size=Size(float_bytes=whole, quantized_bytes=whole),
        )

    def _metrics(self, name: str, directory: Callable[[], Path], split: Split, confidence: float) -> list[Metric]:
        return self.journal.once(
            f"judge {split} {confidence} {name}",
            list[Metric],
            lambda: self._judged(directory(), split, confidence),
        )

    def _judged(self, directory: Path, split: Split, confidence: float) -> list[Metric]:
        readings = Decoder(directory, self.job.request.threads).read(self.tokens[split])
        figures = judge.figures(self.references[split], readings)
        return judge.metrics(figures, self.limits, self.job.request.seed, confidence)

    def _latency(self, recipe: Recipe, pairs: int = generation.PAIRS) -> list[Latency]:
        floating, quantized = self.workshop.floating, self.workshop.make(recipe)
        return generation.measure(floating, quantized, self.job.request.seed, pairs=pairs)

    def _size(self, recipe: Recipe) -> Size:
        return self.journal.once(
            f"size {recipe.name}",
            Size,
            lambda: Size(float_bytes=size(self.workshop.floating), quantized_bytes=size(self.workshop.make(recipe))),
        )


def _point(trial: _Trial, *, chosen: bool) -> Point:
    return Point(
        name=trial.recipe.name,
        arithmetic=trial.recipe.arithmetic,
        engine=Engine.GENAI,
        loss=trial.loss,
        figures={metric.name: metric.value for metric in trial.accuracy},
        latency_ratio=trial.ratio,
        size_ratio=trial.size.quantized_bytes / trial.size.float_bytes,
        passed=trial.passed,
        chosen=chosen,
    )


def _order(trial: _Trial) -> tuple[bool, float]:
    """What is surely fast enough before what may not be, then the most accurate: time is a bar, not a goal."""
    return trial.ratio > _SURELY_HALF, trial.loss
