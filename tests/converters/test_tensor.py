"""The conversion of any graph with a batch dimension, for the task `tensor`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from converters.child import ConversionFailed, SourceInvalid, convert
from converters.request import ConversionRequest
from registry.spec import runtime
from registry.spec.certificate import Precision
from registry.spec.signature import DataType, Signature
from tests.converters.given import LIMITS, linear, no_progress

Write = Callable[[onnx.ModelProto], Path]


async def test_a_graph_is_published_in_float_and_says_why(onnx_source: Write, tmp_path: Path) -> None:
    request = ConversionRequest(source=onnx_source(linear()), task="tensor")
    report = await convert(request, tmp_path / "output", LIMITS, no_progress)
    assert (report.certificate.verdict, report.certificate.precision) == ("certified", Precision.FLOAT32)
    assert "calibration data" in report.certificate.reason
    signature = Signature.from_json(report.signature)
    assert [(t.name, t.datatype, t.shape) for t in signature.inputs] == [("x", DataType.FP32, (4,))]
    assert [(t.name, t.datatype, t.shape) for t in signature.outputs] == [("y", DataType.FP32, (3,))]
    assert runtime.read(report.model_directory / "runtime.json") == runtime.TensorRuntime(exact_x86=False)
    probe = json.loads(report.probe.read_text())
    x = np.array(probe["inputs"]["x"]["data"], dtype=np.float32).reshape(probe["inputs"]["x"]["shape"])
    weights = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    np.testing.assert_allclose(np.array(probe["outputs"]["y"]["data"]).reshape(-1, 3), x @ weights + 1, rtol=1e-4)


async def test_a_fixed_batch_is_refused_with_a_remedy(onnx_source: Write, tmp_path: Path) -> None:
    request = ConversionRequest(source=onnx_source(linear(batch=1)), task="tensor")
    with pytest.raises(SourceInvalid, match="no batch dimension") as error:
        await convert(request, tmp_path / "output", LIMITS, no_progress)
    assert "dynamic" in error.value.remedy


async def test_rows_that_depend_on_each_other_are_refused(onnx_source: Write, tmp_path: Path) -> None:
    request = ConversionRequest(source=onnx_source(_unary("Softmax", axis=0)), task="tensor")
    with pytest.raises(SourceInvalid, match="depends on the other rows"):
        await convert(request, tmp_path / "output", LIMITS, no_progress)


async def test_a_graph_that_no_input_fits_fails(onnx_source: Write, tmp_path: Path) -> None:
    # Unsqueeze without axes is invalid, and only the engine finds that out.
    request = ConversionRequest(source=onnx_source(_unary("Unsqueeze", axis=None)), task="tensor")
    with pytest.raises((SourceInvalid, ConversionFailed)) as error:
        await convert(request, tmp_path / "output", LIMITS, no_progress)
    assert error.value.remedy


def _unary(kind: str, axis: int | None) -> onnx.ModelProto:
    attributes = {} if axis is None else {"axis": axis}
    return helper.make_model(
        helper.make_graph(
            [helper.make_node(kind, ["x"], ["y"], **attributes)],
            "unary",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "n"])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "n"])],
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )
