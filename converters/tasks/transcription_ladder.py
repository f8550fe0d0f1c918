"""The ladder of precisions of a CTranslate2 model: down to the first rung without an objection."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters import decision
from converters.decision import Decision
from converters.job import Job, Measured
from converters.search.bench import speed
from converters.search.journal import Journal
from converters.sources.ctranslate2_directory import MODEL, VOCABULARIES
from converters.sources.ctranslate2_model import read_variables, write_variables
from converters.steps import accuracy, latency
from converters.steps.bootstrap import CONFIDENCE
from converters.subject import Split
from converters.tasks import attempts
from converters.tasks.int8_rows import float_bytes, quantized
from converters.tasks.transcription import PART, TOKENIZER, Heard, TranscriptionSubject, opened
from registry.spec.certificate import Arithmetic, Engine, Latency, Metric, Point, Size
from registry.spec.session import Feeds
from registry.spec.transcriber import ComputeType, Transcriber
from registry.spec.transcription import TASK

SERVED = (MODEL, "config.json", *VOCABULARIES, TOKENIZER, "preprocessor_config.json")
"""The files that serve, as far as a source has them."""

_PAIRS = 9  # of a second or two each


@dataclass(frozen=True)
class Rung:
    """One way to store and to run the model. CTranslate2 runs all of a model's matrices in S8, or none."""

    name: str
    arithmetic: Arithmetic
    compute_type: ComputeType
    stored_int8: bool


LADDER = (
    Rung("INT8 matrices, activations scaled row by row", Arithmetic.INT8_DYNAMIC, "int8_float32", stored_int8=True),
    Rung("INT8 matrices, float arithmetic", Arithmetic.INT8_WEIGHTS, "float32", stored_int8=True),
    Rung("as it was handed in", Arithmetic.FLOAT32, "float32", stored_int8=False),
)
"""From the fastest and smallest to the original; the first without an objection is published."""


@dataclass(frozen=True)
class Transcribing:
    """What is published: the files in `directory`, how CTranslate2 is to run them, and what was measured."""

    directory: Path
    compute_type: ComputeType
    decision: Decision
    measured: Measured


def convert(
    job: Job, subject: TranscriptionSubject, limits: accuracy.Bounds, ladder: Sequence[Rung] = LADDER
) -> Transcribing:
    """Go down the ladder to the first rung without an objection; where time is out, to the last.

    Size and accuracy are against the weights in FP32, whatever they were handed in as.
    """
    journal = attempts.journal(job, subject.data.values())
    climb = _Climb(job, job.scratch("rungs"), journal, subject, limits)
    notes: list[str] = []
    for earlier, rung in enumerate(ladder):
        if rung != ladder[-1] and attempts.is_out_of_time(job):
            notes.append(f"{rung.name}: the time limit was reached before it was tried")
            continue
        examined = climb.examine(rung, accuracy.confidence_after(earlier))
        if examined.objection is None:
            break
        notes.append(f"{rung.name}: {examined.objection}")
    size = examined.size if rung.stored_int8 else None
    if examined.objection is not None:
        verdict = decision.rejected(rung.arithmetic, decision.failing(examined.accuracy))
    else:
        verdict = decision.certified(rung.arithmetic, examined.latency, size, notes)
    measured = Measured(
        accuracy=examined.accuracy,
        latency=examined.latency,
        size=size,
        curve=climb.curve(rung),
        selection=subject.data[Split.SELECTION],
        held_out=subject.data[Split.HELD_OUT],
        engine=Engine.CTRANSLATE2,
    )
    return Transcribing(examined.directory, rung.compute_type, verdict, measured)


@dataclass(frozen=True)
class _Examined:
    directory: Path
    accuracy: list[Metric]
    latency: list[Latency]
    size: Size
    objection: str | None


@dataclass(frozen=True)
class _Climb:
    """One conversion; `points` has every rung that was tried. What was heard and timed is in the journal."""

    job: Job
    scratch: Path
    journal: Journal
    subject: TranscriptionSubject
    limits: accuracy.Bounds
    points: dict[Rung, Point] = field(default_factory=dict)

    def examine(self, rung: Rung, confidence: float) -> _Examined:
        """Write, judge and time one rung; `confidence` is of its intervals on held-out data."""
        reporter = self.job.reporter
        reporter.step("candidate", f"writing the model: {rung.name}")
        directory = self._written(rung)
        size = self._size(directory)
        reporter.step("latency", f"timing: {rung.name}")
        found = self.journal.once(f"latency {rung.name}", list[Latency], lambda: self._latency(directory, rung))
        reporter.step("selection", f"transcribing: {rung.name}")
        self.points[rung] = self._point(rung, self._judged(directory, rung, Split.SELECTION), found, size)
        reporter.step("held out", f"transcribing held-out speech: {rung.name}")
        metrics = self._judged(directory, rung, Split.HELD_OUT, confidence)
        objection = decision.objection(rung.arithmetic, metrics, found, size, fused=True)
        return _Examined(directory, metrics, found, size, objection)

    def curve(self, chosen: Rung) -> list[Point]:
        """The points of all rungs that were tried."""
        return [point.model_copy(update={"chosen": rung == chosen}) for rung, point in self.points.items()]

    def _written(self, rung: Rung) -> Path:
        source = self.job.request.source
        directory = self.scratch / ("int8" if rung.stored_int8 else "source")
        if not directory.is_dir():
            directory.mkdir()
            for name in SERVED:
                if (source / name).is_file() and not (rung.stored_int8 and name == MODEL):
                    shutil.copyfile(source / name, directory / name)
            if rung.stored_int8:
                write_variables(directory / MODEL, quantized(read_variables(source / MODEL)))
        return directory

    def _size(self, directory: Path) -> Size:
        whole = float_bytes(read_variables(self.job.request.source / MODEL))
        return Size(float_bytes=whole, quantized_bytes=(directory / MODEL).stat().st_size)

    def _latency(self, directory: Path, rung: Rung) -> list[Latency]:
        if not rung.stored_int8:
            return []
        floating = {PART: _Timed(opened(self.job.request.source, 1, "float32"))}
        candidate = {PART: _Timed(opened(directory, 1, rung.compute_type))}
        return latency.measure(floating, candidate, self.subject.loads, self.job.request.seed, pairs=_PAIRS)

    def _judged(self, directory: Path, rung: Rung, split: Split, confidence: float = CONFIDENCE) -> list[Metric]:
        """A rung against the original, which needs no second run to be compared with itself."""
        before = after = self._heard("the original", split, lambda: self.subject.original)
        if rung.stored_int8:
            threads = self.job.request.threads
            after = self._heard(rung.name, split, lambda: opened(directory, threads, rung.compute_type))
        figures = self.subject.judge(before, after, split)
        return accuracy.metrics(figures, TASK.criteria, self.limits, self.job.request.seed, confidence)

    def _heard(self, name: str, split: Split, transcriber: Callable[[], Transcriber]) -> Heard:
        return self.journal.once(f"heard {split} {name}", Heard, lambda: self.subject.heard(transcriber(), split))

    def _point(self, rung: Rung, metrics: list[Metric], found: list[Latency], size: Size) -> Point:
        return Point(
            name=rung.name,
            arithmetic=rung.arithmetic,
            engine=Engine.CTRANSLATE2,
            loss=accuracy.budget_used(metrics, TASK.criteria),
            figures={metric.name: metric.value for metric in metrics},
            latency_ratio=speed(found) if found else None,
            size_ratio=size.quantized_bytes / size.float_bytes,
            passed=all(metric.passed for metric in metrics),
            chosen=False,
        )


@dataclass(frozen=True)
class _Timed:
    """A transcriber with the interface of a session, so that it is timed as every other model is."""

    transcriber: Transcriber

    def run(self, outputs: Sequence[str] | None, feeds: Feeds) -> list[NDArray[Any]]:
        """How many tokens came out."""
        del outputs
        return [np.array(self.transcriber.transcribe(feeds["audio"]).tokens)]
