"""Any ONNX graph with a batch dimension in front: INT8 where its owner brings tensors to calibrate with, else float."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from converters import decision, probe
from converters.certify import certify
from converters.job import Converted, Job, Measured
from converters.samples import uploaded
from converters.samples.split import LEAST, Part
from converters.samples.uploaded import Uploaded
from converters.samples.uploaded_tensors import Row, tensors
from converters.sources.graphs import load_graphs
from converters.steps import accuracy, prepare
from converters.steps.run import open_float
from converters.subject import Figure, Load, Model, Sample, Split
from converters.tasks.finish import place
from converters.tasks.tensor_trial import Tensors, Trial, answers, close, read_signature, trial
from registry.spec.certificate import Arithmetic, Data, Metric, Precision
from registry.spec.runtime import FILE, TensorRuntime, write
from registry.spec.session import Session, open_graph
from registry.spec.signature import Signature
from registry.spec.tensor import TASK, Agreement, compare

MAX_BATCH = 256

_PART = "model"
_LOSS_ROWS = 64  # of the selection, to rank layers by
_LOADS = (1, 8)


class TensorSubject:
    """A graph with its owner's own rows."""

    def __init__(self, graph: onnx.ModelProto, original: Session, signature: Signature, rows: Uploaded[Row]) -> None:
        self._graph = graph
        self._original = original
        self._names = [spec.name for spec in signature.outputs]
        self._rows = {part.value: rows.part(part) for part in Part}
        self._references: dict[Split, list[Row]] = {}

    @property
    def graphs(self) -> Mapping[str, onnx.ModelProto]:
        """The graph."""
        return {_PART: self._graph}

    @cached_property
    def data(self) -> Mapping[str, Data]:
        """The three parts of the owner's file."""
        return {name: rows.data() for name, rows in self._rows.items()}

    @property
    def loads(self) -> tuple[Load, ...]:
        """The owner's first row, alone and eight times."""
        first = self._rows[Part.CALIBRATION].items[0]
        return tuple(Load(_described(first, rows), (Sample(_PART, _repeated(first, rows)),)) for rows in _LOADS)

    def calibration(self) -> Iterator[Sample]:
        """Row by row: they may differ in shape."""
        return (Sample(_PART, row) for row in self._rows[Part.CALIBRATION].items)

    def selection(self) -> Iterator[Sample]:
        """The first rows of the selection."""
        return (Sample(_PART, row) for row in self._rows[Part.SELECTION].items[:_LOSS_ROWS])

    def judge(self, model: Model, split: Split) -> list[Figure]:
        """Cosine and errors of each row's outputs."""
        rows = self._rows[split].items
        if split not in self._references:
            self._references[split] = [answers(self._original, row, self._names) for row in rows]
        found = [
            compare(list(reference.values()), list(answers(model[_PART], row, self._names).values()))
            for row, reference in zip(rows, self._references[split], strict=True)
        ]
        return _figures(found)


def convert(job: Job) -> Converted:
    """Convert the graph of `job` and decide what is published. Raises SourceInvalid or ConversionFailed."""
    limits = accuracy.bounds(TASK, job.request.budget)  # refused before anything is done
    job.reporter.step("load", "opening the graph", 0.1)
    source = load_graphs(job.request.source, job.facts, job.request.threads)[_PART]
    signature = read_signature(source)
    original = job.scratch("original") / "model.onnx"
    onnx.save(source, original)
    job.reporter.step("reference", "running the original on random inputs", 0.2)
    tried = trial(original, signature, job.request.threads, job.request.seed)
    own = uploaded.find(job.request.source)
    rows = tensors(own, signature, job.request.seed) if own is not None else None
    if rows is not None and rows.judges and job.request.precision is Precision.INT8:
        return _searched(job, source, original, signature, rows, tried)
    return _as_it_is(job, source, signature, rows, tried, limits)


def _searched(
    job: Job, source: onnx.ModelProto, original: Path, signature: Signature, rows: Uploaded[Row], tried: Trial
) -> Converted:
    subject = TensorSubject(source, open_float(original, job.request.threads), signature, rows)
    certified = certify(job, subject, TASK)
    place(certified.candidate.directory, job.model)
    settings = TensorRuntime(exact_x86=certified.candidate.exact_x86, hardware_class=certified.hardware_class)
    _finish(job, signature, tried, settings)
    return Converted(certified.decision, certified.measured, signature, MAX_BATCH)


def _as_it_is(
    job: Job,
    source: onnx.ModelProto,
    signature: Signature,
    rows: Uploaded[Row] | None,
    tried: Trial,
    limits: accuracy.Bounds,
) -> Converted:
    """The float graph, judged on random inputs: its outputs are the original's, and within the task's bounds."""
    onnx.save(prepare.clean(source), job.model / "model.onnx")
    outputs = _finish(job, signature, tried, TensorRuntime(exact_x86=False))
    same = [close(value, outputs[name]) for name, value in tried.outputs.items()]
    share = sum(same) / len(same)
    equal = Metric(name="outputs_equal", value=share, low=share, high=share, minimum=1.0, passed=share == 1.0)
    figures = _figures([_agreement(tried.outputs, outputs)])
    metrics = [equal, *accuracy.metrics(figures, TASK.criteria, limits, job.request.seed)]
    if short := decision.failing(metrics):
        verdict = decision.rejected(Arithmetic.FLOAT32, f"on random inputs {short}")
    else:
        verdict = decision.certified(Arithmetic.FLOAT32, [], None, [_why_float(job, rows)])
    return Converted(verdict, Measured(metrics), signature, MAX_BATCH)


def _agreement(reference: Tensors, outputs: Tensors) -> Agreement:
    """Judge `outputs` where the original answers numbers: the logarithm of a random input need not be one."""
    pairs = [_numbers(reference[name], outputs[name]) for name in reference]
    return compare([one for one, _ in pairs], [other for _, other in pairs])


def _numbers(reference: NDArray[Any], output: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    if reference.dtype.kind != "f" or reference.shape != output.shape:
        return reference, output
    finite = np.isfinite(reference)
    return np.where(finite, reference, 0), np.where(finite, output, 0)


def _figures(found: Sequence[Agreement]) -> list[Figure]:
    """The task's criteria, a value for each row."""
    return [
        Figure(criterion.name, np.concatenate([getattr(agreement, criterion.name) for agreement in found]))
        for criterion in TASK.criteria
    ]


def _why_float(job: Job, rows: Uploaded[Row] | None) -> str:
    if job.request.precision is not Precision.INT8:
        return "the owner asked for float32"
    if rows is None:
        return "there is no calibration data, without which INT8 ranges would be guesses (calibration.jsonl or .zip)"
    return f"the calibration data has {len(rows.items)} distinct rows, and {LEAST} are needed to choose and to judge"


def _finish(job: Job, signature: Signature, tried: Trial, settings: TensorRuntime) -> Tensors:
    """Write the settings and the probe; the outputs of what serves on the trial's inputs."""
    write(settings, job.model / FILE)
    served = open_graph(job.model, _PART, job.request.threads, exact_x86=settings.exact_x86)
    outputs = answers(served, tried.inputs, list(tried.outputs))
    probe.write(job.probe, signature, tried.inputs, outputs)
    return outputs


def _described(row: Row, rows: int) -> str:
    shapes = (" × ".join(map(str, (rows, *array.shape[1:]))) for array in row.values())
    return "; ".join(shapes)


def _repeated(row: Row, rows: int) -> Row:
    return {name: np.repeat(array, rows, axis=0) for name, array in row.items()}
