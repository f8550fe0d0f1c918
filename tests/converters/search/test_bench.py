"""What the bench makes of an engine that does not take a graph, or not its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as KernelMissing

from converters.errors import ConversionFailed
from converters.search import workshop
from converters.search.bench import FLOAT, Bench
from converters.search.journal import Journal
from converters.search.recipe import Recipe
from converters.search.workshop import Workshop
from converters.steps.run import EngineRefused
from converters.subject import Figure, Load, Model, Sample, Split
from registry.spec.certificate import Arithmetic, Data, Engine
from registry.spec.session import Session, open_graph
from registry.spec.task import Criterion
from tests.converters.search.given import WIDTH, chain

_WEIGHTS = Recipe("weights", Arithmetic.INT8_WEIGHTS, Engine.ONNXRUNTIME, {})


class _Chain:
    """The chain as a subject; `width` is that of its samples."""

    def __init__(self, width: int = WIDTH) -> None:
        self._sample = Sample("model", {"x": np.ones((2, width), np.float32)})

    @property
    def graphs(self) -> Mapping[str, onnx.ModelProto]:
        return {"model": chain(2)}

    @property
    def data(self) -> Mapping[str, Data]:
        return {}

    @property
    def loads(self) -> tuple[Load, ...]:
        return (Load("2", (self._sample,)),)

    def calibration(self) -> Iterator[Sample]:
        yield self._sample

    def selection(self) -> Iterator[Sample]:
        yield self._sample

    def judge(self, model: Model, split: Split) -> list[Figure]:
        (answer,) = model["model"].run(None, self._sample.feeds)
        return [Figure("kept", np.ones(len(answer)))]


def _bench(scratch: Path, width: int = WIDTH) -> Bench:
    made = Workshop({"model": chain(2)}, {"model": chain(2)}, scratch / "candidates")
    journal = Journal(scratch / "journal.jsonl", "here")
    return Bench(_Chain(width), made, journal, [Criterion("kept", "", 0.9)], {"kept": 0.9}, threads=1, seed=0)


@pytest.fixture
def _candidates_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(directory: Path, part: str, threads: int, *, exact_x86: bool) -> Session:
        if directory.name == FLOAT.key:
            return open_graph(directory, part, threads, exact_x86=exact_x86)
        raise KernelMissing("this kernel is not implemented")

    monkeypatch.setattr(workshop, "open_graph", refuse)


@pytest.mark.usefixtures("_candidates_are_refused")
def test_what_is_refused_has_the_worst_loss_and_no_figures(tmp_path: Path) -> None:
    bench = _bench(tmp_path)
    assert bench.loss(_WEIGHTS) == 10
    assert bench.harm(_WEIGHTS, "model") == 10
    for measure in (bench.check, bench.point, bench.latency):
        with pytest.raises(EngineRefused, match="not implemented"):
            measure(_WEIGHTS)
    assert bench.point(FLOAT).passed


def test_our_own_errors_are_no_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Workshop, recipe: Recipe, part: str) -> onnx.ModelProto:
        raise ValueError("a rewriting that went wrong")

    monkeypatch.setattr(Workshop, "_graph", fail)
    with pytest.raises(ValueError, match="a rewriting"):
        _bench(tmp_path).check(_WEIGHTS)


def test_a_float_graph_that_does_not_run_is_said_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConversionFailed, match="does not run the float graph") as error:
        _bench(tmp_path, WIDTH + 1).loss(FLOAT)
    assert "onnxruntime" in error.value.remedy
