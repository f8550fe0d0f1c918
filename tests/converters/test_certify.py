"""From a subject to what is published, on a chain of products: what is judged, and what the decision says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import pytest

from converters import certify
from converters.certify import Certified
from converters.errors import SourceInvalid
from converters.job import Job
from converters.progress import Reporter
from converters.request import ConversionRequest
from converters.search import workshop
from converters.sources.facts import SourceFacts
from converters.subject import Figure, Load, Model, Sample, Split
from registry.spec.certificate import Arithmetic, Data, Latency
from registry.spec.session import Refused, Session, open_graph
from registry.spec.task import Criterion, Modality, Task
from tests.converters.search.given import chain
from tests.converters.steps.quantized import Quantize, dynamically_quantized, partly_quantized

_WIDTH, _LAYERS = 64, 4
_TASK = Task("chain", "Chain", Modality.TENSOR, Modality.TENSOR, (), (Criterion("cosine", "as float's", 0.9),))


class _Chain:
    """A chain of products, judged by the cosine of each row; held-out rows count for less by `lost`."""

    def __init__(self, graph: onnx.ModelProto, original: Session, lost: float = 0.0) -> None:
        self._graph, self._original, self._lost = graph, original, lost
        self._rows = np.random.default_rng(5).standard_normal((600, _WIDTH)).astype(np.float32)

    @property
    def graphs(self) -> Mapping[str, onnx.ModelProto]:
        return {"model": self._graph}

    @property
    def data(self) -> Mapping[str, Data]:
        return {name: Data(description=name, samples=600, sha256=name) for name in ("calibration", *Split)}

    @property
    def loads(self) -> tuple[Load, ...]:
        return (Load("8", (Sample("model", {"x": self._rows[:8]}),)),)

    def calibration(self) -> Iterator[Sample]:
        return (Sample("model", {"x": rows}) for rows in np.split(self._rows, 20))

    def selection(self) -> Iterator[Sample]:
        yield Sample("model", {"x": self._rows[:50]})

    def judge(self, model: Model, split: Split) -> list[Figure]:
        one, other = (session.run(None, {"x": self._rows})[0] for session in (self._original, model["model"]))
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        cosine = (one * other).sum(axis=1) / np.maximum(lengths, 1e-9)
        same = np.array_equal(one, other)
        return [Figure("cosine", cosine - (0.0 if same or split is Split.SELECTION else self._lost))]


def _certified(
    tmp_path: Path, graph: onnx.ModelProto | None = None, lost: float = 0.0, **asked: object
) -> tuple[Certified, str]:
    """What is decided of the chain, and everything that was said on the way."""
    graph = chain(_LAYERS, _WIDTH) if graph is None else graph
    source = tmp_path / "source"
    source.mkdir()
    onnx.save(graph, source / "model.onnx")
    said = StringIO()
    request = ConversionRequest.model_validate({"source": source, "task": "tensor", "threads": 1, **asked})
    facts = cast(SourceFacts, None)  # it is for what opens a source, which was done before
    job = Job(request, facts, tmp_path / "output", tmp_path / "cache", Reporter(said))
    subject = _Chain(graph, open_graph(source, "model", 1, exact_x86=False), lost)
    return certify.certify(job, subject, _TASK), said.getvalue()


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is quantized takes half of float's time, whatever else the machine does."""

    def half(*_: object, **__: object) -> list[Latency]:
        return [Latency(load="8", threads=1, float_ms=2, quantized_ms=1, ratio=0.5, ratio_low=0.4, ratio_high=0.6)]

    monkeypatch.setattr("converters.steps.latency.measure", half)


def test_the_best_is_published_in_int8(tmp_path: Path) -> None:
    found, said = _certified(tmp_path)
    assert (found.decision.verdict, found.decision.arithmetic) == ("certified", Arithmetic.INT8)
    assert said.count("on held-out data") == 1


@pytest.mark.parametrize("quantize", [partly_quantized, dynamically_quantized])
def test_a_source_that_is_quantized_already_is_not_quantized_again(quantize: Quantize, tmp_path: Path) -> None:
    found, _ = _certified(tmp_path, quantize(chain(_LAYERS, _WIDTH), tmp_path))
    assert found.decision.verdict == "certified"
    assert found.decision.arithmetic in (Arithmetic.INT8_WEIGHTS, Arithmetic.FLOAT32)
    assert "INT8 is not possible: the graph is quantized already" in found.decision.reason
    assert "upload the FP32 model" in found.decision.reason


def test_the_time_limit_is_no_failure(tmp_path: Path) -> None:
    found, said = _certified(tmp_path, time_limit=0.001)
    assert (found.decision.verdict, found.decision.arithmetic) == ("certified", Arithmetic.INT8)
    (point,) = found.measured.curve
    assert point.chosen
    assert "rounding" not in said


def test_what_is_not_accurate_on_held_out_data_is_tried_with_more_in_float(tmp_path: Path) -> None:
    found, _ = _certified(tmp_path, lost=0.5)
    assert found.decision.arithmetic is Arithmetic.FLOAT32
    assert found.decision.reason.count("INT8, ") == 3, "the best, and with 1 and with 2 of 4 layers in float"
    assert "1 layer in float" in found.decision.reason
    assert "2 layers in float" in found.decision.reason
    safer = [point for point in found.measured.curve if "in float" in point.name]
    assert len(safer) == 2, "who was tried on held-out data alone is on the curve"
    assert not any(point.passed for point in safer)
    assert sum(not point.passed for point in found.measured.curve) >= 3, "the best has not passed there, either"
    assert not any(point.chosen for point in found.measured.curve)


def test_what_is_only_not_faster_is_not_tried_with_more_in_float(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: object, **__: object) -> list[Latency]:
        return [Latency(load="8", threads=1, float_ms=1, quantized_ms=2, ratio=2, ratio_low=1.9, ratio_high=2.1)]

    monkeypatch.setattr("converters.steps.latency.measure", slow)
    found, said = _certified(tmp_path)
    assert found.decision.arithmetic is Arithmetic.FLOAT32
    assert "not faster here" in found.decision.reason
    assert "in float: it" not in found.decision.reason
    assert "ranking" not in said


def test_a_finalist_that_the_engine_refuses_is_one_objection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine takes a candidate to run the selection, and then no more."""
    opened: list[Path] = []

    def refuse(directory: Path, part: str, threads: int, *, exact_x86: bool) -> Session:
        opened.append(directory)
        if "on held-out data" in said.getvalue() and directory.name != certify.FLOAT.key:
            raise Refused("no primitive for this\nwith a long trace")
        return open_graph(directory, part, threads, exact_x86=exact_x86)

    said = StringIO()
    monkeypatch.setattr(workshop, "open_graph", refuse)
    monkeypatch.setattr(Reporter, "step", lambda self, step, message, fraction=None: said.write(message))
    found, _ = _certified(tmp_path)
    assert opened
    assert "Published in float, because INT8, " in found.decision.reason
    assert found.decision.reason.count("refuses it: no primitive for this") == 3, "the best, dynamic INT8, INT8 weights"
    assert found.decision.arithmetic is Arithmetic.FLOAT32
    assert "a long trace" not in found.decision.reason


def test_a_graph_that_no_engine_opens_in_int8_is_no_matter_of_accuracy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(directory: Path, part: str, threads: int, *, exact_x86: bool) -> Session:
        if directory.name == certify.FLOAT.key:
            return open_graph(directory, part, threads, exact_x86=exact_x86)
        raise Refused("no primitive for this")

    monkeypatch.setattr(workshop, "open_graph", refuse)
    found, _ = _certified(tmp_path)
    assert found.decision.arithmetic is Arithmetic.FLOAT32
    assert "no engine here takes the graph in INT8: onnxruntime refuses it: no primitive" in found.decision.reason
    assert "accuracy budget" not in found.decision.reason


@pytest.mark.parametrize("change", ["tokenizer.json", "dictionary.txt", "model.onnx.json"])
def test_activations_of_another_source_are_not_taken_over(change: str, tmp_path: Path) -> None:
    """What a sample is depends on more files than the graph."""
    names = []
    for content in ("one", "another"):
        here = tmp_path / content
        (here / "source").mkdir(parents=True)
        (here / "source" / change).write_text(content)
        onnx.save(chain(_LAYERS, _WIDTH), here / "source" / "model.onnx")
        _run_in(here)
        names.append({path.name for path in (here / "cache").glob("activations-*")})
    assert len(names[0]) == len(names[1]) == 1
    assert names[0] != names[1]


@pytest.mark.parametrize("change", ["threads", "seed", "budget", "processor"])
def test_findings_under_other_circumstances_do_not_count(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").mkdir()
    onnx.save(chain(_LAYERS, _WIDTH), tmp_path / "source" / "model.onnx")
    _run_in(tmp_path)
    _run_in(tmp_path)
    assert len(_scopes(tmp_path)) == 1
    if change == "processor":
        monkeypatch.setattr("converters.lineage.processor", lambda: "another one of the same class")
        _run_in(tmp_path)
    else:
        _run_in(tmp_path, **{change: {"cosine": 0.8} if change == "budget" else 2})
    assert len(_scopes(tmp_path)) == 2


def _scopes(here: Path) -> set[str]:
    lines = (here / "cache" / "journal.jsonl").read_text().splitlines()
    return {json.loads(line)["scope"] for line in lines}


def _run_in(here: Path, **asked: object) -> None:
    given = {"source": here / "source", "task": "tensor", "threads": 1, "time_limit": 0.001, **asked}
    request = ConversionRequest.model_validate(given)
    job = Job(request, cast(SourceFacts, None), here / "output", here / "cache", Reporter(StringIO()))
    graph = chain(_LAYERS, _WIDTH)
    shutil.rmtree(job.output, ignore_errors=True)
    certify.certify(job, _Chain(graph, open_graph(here / "source", "model", 1, exact_x86=False)), _TASK)


def test_a_budget_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(SourceInvalid, match="loudness"):
        _certified(tmp_path, budget={"loudness": 1})
    assert not (tmp_path / "output").exists()
