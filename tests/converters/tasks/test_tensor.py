"""A graph that is published as it is, against the bounds that its owner asks for."""

from __future__ import annotations

import io
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from converters.errors import SourceInvalid
from converters.job import Converted, Job
from converters.progress import Reporter
from converters.request import ConversionRequest
from converters.sources.detect import inspect
from converters.tasks import tensor
from registry.spec.tensor import TASK
from tests.converters.given import linear


def convert(graph: onnx.ModelProto, directory: Path, **asked: object) -> Converted:
    source = directory / "source"
    source.mkdir()
    onnx.save(graph, source / "model.onnx")
    request = ConversionRequest(source=source, task="tensor", threads=1, **asked)
    job = Job(request, inspect(source, "tensor"), directory / "output", directory / "cache", Reporter(io.StringIO()))
    job.model.mkdir(parents=True)
    return tensor.convert(job)


def logarithm() -> onnx.ModelProto:
    """Of half of all random inputs no number."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Log", ["x"], ["y"])], "logarithm", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.mark.parametrize("graph", [linear(), logarithm()])
def test_float_is_judged_by_the_tasks_criteria_and_certified(graph: onnx.ModelProto, tmp_path: Path) -> None:
    converted = convert(graph, tmp_path, budget={"max_error": 1e-3})
    assert converted.decision.verdict == "certified"
    names = [metric.name for metric in converted.measured.accuracy]
    assert names == ["outputs_equal", *(criterion.name for criterion in TASK.criteria)]
    assert converted.measured.accuracy[-1].maximum == 1e-3


def test_a_budget_for_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceInvalid, match="not judged by 'agreement'"):
        convert(linear(), tmp_path, budget={"agreement": 0.9})


def test_float_that_does_not_keep_the_owners_budget_is_rejected(tmp_path: Path) -> None:
    converted = convert(linear(), tmp_path, budget={"cosine": 1.5})
    assert converted.decision.verdict == "rejected"
    assert "cosine" in converted.decision.reason
