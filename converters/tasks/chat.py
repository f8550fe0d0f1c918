"""Chat models: a decoder out of GGUF or a Hugging Face directory, for onnxruntime-genai with weights in few bits.

The reference is the decoder in FP32; of a GGUF file whose weights are quantized, that is what they stand for. INT8 is
held to the task's criteria, INT4 is measured like it and offered with its own figures.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from converters.chat import generation, gguf_file, judge
from converters.chat.build import build
from converters.chat.decoder import MOST_TOKENS, Decoder
from converters.chat.moments import Moments, observe
from converters.chat.recipes import HEAD, Recipe, recipes
from converters.chat.weights import GRAPH, WEIGHTS, products, quantize_weights
from converters.errors import SourceInvalid
from converters.samples.conversations import CALIBRATION, conversations
from converters.samples.text import Texts
from converters.steps import accuracy
from converters.steps.bootstrap import CONFIDENCE
from converters.subject import Figure, Split
from registry.spec.certificate import Arithmetic, Data, Engine, Latency, Metric, Point, Size
from registry.spec.chat import TASK, Reading
from registry.spec.text import TextEncoder

_INT8 = Arithmetic.INT8_WEIGHTS
_INT4 = Arithmetic.INT4_WEIGHTS
_TRIAL_PAIRS = 5
_FINALISTS = 2
_HALF = 0.5  # of float's time for each token: INT8 is to write twice as fast
_SURELY_HALF = 0.46  # five pairs of trials on a busy machine vary by a tenth


@dataclass(frozen=True)
class Settings:
    """What a chat conversion is asked for; `budget` replaces bounds of the task's criteria by name."""

    threads: int
    seed: int
    budget: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Variant:
    """A decoder that can be published: exactly the files in `directory`, and what was measured on held-out texts."""

    name: str
    arithmetic: Arithmetic
    directory: Path
    figures: list[Figure]
    accuracy: list[Metric]
    latency: list[Latency]
    size: Size

    @property
    def passed(self) -> bool:
        """Whether it is accurate enough and writes at least twice as fast as float."""
        return all(metric.passed for metric in self.accuracy) and self.latency[0].ratio_high <= _HALF


@dataclass(frozen=True)
class ChatConverted:
    """The best decoder of each arithmetic, best of all first; `floating` is the directory of the FP32 one.

    `curve` has every recipe that was tried, on the selection texts.
    """

    floating: Path
    int8: Variant
    int4: Variant
    curve: list[Point]
    data: Mapping[str, Data]


Report = Callable[[str, str, float], None]
"""Takes a step, a message and the share of the whole that is done."""


def convert(source: Path, work: Path, settings: Settings, report: Report) -> ChatConverted:
    """Convert the decoder in the directory `source`; everything is written below the directory `work`.

    Raises SourceInvalid or ConversionFailed.
    """
    accuracy.bounds(TASK, settings.budget)  # refused before anything is done
    report("unpack", "reading the weights in FP32", 0.02)
    unpacked = _unpacked(source, _made(work / "float32"))
    report("export", "exporting the decoder to ONNX", 0.12)
    floating = _made(work / "float")
    build(unpacked, floating, work / "builder")
    shutil.rmtree(work / "float32")
    return _Conversion(floating, work, settings, report).run()


class _Conversion:
    """One conversion from the float decoder on."""

    def __init__(self, floating: Path, work: Path, settings: Settings, report: Report) -> None:
        self._floating = floating
        self._work = work
        self._settings = settings
        self._report = report
        self._limits = accuracy.bounds(TASK, settings.budget)
        self._texts = conversations(settings.seed)
        encoder = TextEncoder(floating / "tokenizer.json", MOST_TOKENS)
        self._tokens = {name: _tokens(encoder, texts) for name, texts in self._texts.items()}
        self._references: dict[Split, list[Reading]] = {}

    def run(self) -> ChatConverted:
        """Try every recipe on the selection texts, and measure the best of each arithmetic on held-out ones."""
        tried = recipes(list(products(onnx.load(self._floating / GRAPH, load_external_data=False).graph)))
        moments = self._moments()
        found = []
        for number, recipe in enumerate(tried):
            self._report("search", f"trying {recipe.name}", 0.3 + 0.4 * number / len(tried))
            found.append(self._try(recipe, moments))
        shutil.rmtree(self._work / "moments")
        self._report("accuracy", "judging the best on held-out texts", 0.75)
        int8 = self._best([trial for trial in found if trial.recipe.arithmetic is _INT8], earlier=0)
        failed = 0 if int8.passed else _FINALISTS
        int4 = self._best([trial for trial in found if trial.recipe.arithmetic is _INT4], earlier=failed)
        names = {int8.name, int4.name}
        return ChatConverted(
            floating=self._floating,
            int8=int8,
            int4=int4,
            curve=[self._point(trial, chosen=trial.recipe.name in names) for trial in found],
            data={name: texts.data() for name, texts in self._texts.items()},
        )

    def _moments(self) -> Moments:
        self._report("calibrate", f"observing the decoder on {len(self._tokens[CALIBRATION])} texts", 0.2)
        target = _made(self._work / "moments")
        return observe(self._floating, self._tokens[CALIBRATION], {HEAD}, target, self._settings.threads)

    def _try(self, recipe: Recipe, moments: Moments) -> _Trial:
        directory = _made(self._work / recipe.name.replace(" ", "-").lower())
        for path in self._floating.iterdir():
            if path.name not in {GRAPH, WEIGHTS}:
                shutil.copyfile(path, directory / path.name)
        quantize_weights(self._floating, directory, recipe.plan, moments if recipe.compensated else None)
        figures = self._figures(directory, Split.SELECTION)
        latency = generation.measure(self._floating, directory, self._settings.seed, pairs=_TRIAL_PAIRS)
        return _Trial(recipe, directory, self._metrics(figures), latency[0].ratio)

    def _best(self, trials: list[_Trial], earlier: int) -> Variant:
        """The first in order that also passes on held-out texts, of two at most; the first of all where none does.

        `earlier` is how many others have been judged on those texts, and failed.
        """
        variants = []
        for number, trial in enumerate(sorted(trials, key=_order)[:_FINALISTS], earlier):
            variants.append(self._variant(trial, accuracy.confidence_after(number)))
            if variants[-1].passed:
                return variants[-1]
        return variants[0]

    def _variant(self, trial: _Trial, confidence: float) -> Variant:
        figures = self._figures(trial.directory, Split.HELD_OUT)
        return Variant(
            name=trial.recipe.name,
            arithmetic=trial.recipe.arithmetic,
            directory=trial.directory,
            figures=figures,
            accuracy=self._metrics(figures, confidence),
            latency=generation.measure(self._floating, trial.directory, self._settings.seed),
            size=Size(float_bytes=_size(self._floating), quantized_bytes=_size(trial.directory)),
        )

    def _figures(self, directory: Path, split: Split) -> list[Figure]:
        if split not in self._references:
            self._references[split] = self._read(self._floating, split)
        return judge.figures(self._references[split], self._read(directory, split))

    def _read(self, directory: Path, split: Split) -> list[Reading]:
        return Decoder(directory, self._settings.threads).read(self._tokens[split])

    def _metrics(self, figures: list[Figure], confidence: float = CONFIDENCE) -> list[Metric]:
        return judge.metrics(figures, self._limits, self._settings.seed, confidence)

    def _point(self, trial: _Trial, *, chosen: bool) -> Point:
        return Point(
            name=trial.recipe.name,
            arithmetic=trial.recipe.arithmetic,
            engine=Engine.GENAI,
            loss=trial.loss,
            figures={metric.name: metric.value for metric in trial.accuracy},
            latency_ratio=trial.ratio,
            size_ratio=_size(trial.directory) / _size(self._floating),
            passed=trial.passed,
            chosen=chosen,
        )


@dataclass(frozen=True)
class _Trial:
    """A recipe on the selection texts; `ratio` is of float's time for each token written."""

    recipe: Recipe
    directory: Path
    accuracy: list[Metric]
    ratio: float

    @property
    def loss(self) -> float:
        """The share of tokens where another token than float's is likeliest."""
        return 1 - next(metric.value for metric in self.accuracy if metric.name == "top1_agreement")

    @property
    def passed(self) -> bool:
        """As far as the selection can tell."""
        return all(metric.passed for metric in self.accuracy) and self.ratio <= _HALF


def _order(trial: _Trial) -> tuple[bool, float]:
    """What is surely fast enough before what may not be, then the most accurate: time is a bar, not a goal."""
    return trial.ratio > _SURELY_HALF, trial.loss


def _unpacked(source: Path, target: Path) -> Path:
    """A Hugging Face directory with the decoder in `source`."""
    files = sorted(source.glob("*.gguf"))
    if not files:
        return source
    if len(files) > 1:
        raise SourceInvalid("The source has more than one GGUF file.", "Upload the one that is to be served.")
    gguf_file.unpack(files[0], target)
    return target


def _tokens(encoder: TextEncoder, texts: Texts) -> list[NDArray[np.int64]]:
    """The texts of two tokens or more: of one alone, nothing follows."""
    ids = [np.array(tokens.ids, dtype=np.int64) for tokens in encoder.encode(list(texts.texts))]
    return [row for row in ids if len(row) > 1]


def _size(directory: Path) -> int:
    """Bytes of the graph with its weights."""
    return sum((directory / name).stat().st_size for name in (GRAPH, WEIGHTS))


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory
