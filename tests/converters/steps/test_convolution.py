"""Convolutions of every kind: smoothed, rounded and lowered, they stay what they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters.search.schemes import local, part, uniform
from converters.steps import audit, canonical, lower_x86, prepare
from converters.steps.activations import observe
from converters.steps.graph import Graph
from converters.steps.kernels import Kernel
from converters.steps.lint import check
from converters.steps.products import find
from registry.spec.certificate import Engine
from registry.spec.session import open_graph, open_session, openvino_name

_KINDS = {
    "plain": {"weights": (16, 8, 3, 3), "attributes": {"pads": [1, 1, 1, 1]}},
    "strided, dilated": {"weights": (16, 8, 3, 3), "attributes": {"strides": [2, 1], "dilations": [1, 2]}},
    "pointwise": {"weights": (16, 8, 1, 1), "attributes": {}},
    "grouped": {"weights": (16, 4, 3, 3), "attributes": {"group": 2, "pads": [1, 1, 1, 1]}},
    "depthwise": {"weights": (8, 1, 3, 3), "attributes": {"group": 8, "pads": [1, 1, 1, 1]}},
}


def _graph(kind: str) -> onnx.ModelProto:
    """x FP32 [batch, 8, h, w] through one convolution and a ReLU."""
    shape, attributes = _KINDS[kind]["weights"], _KINDS[kind]["attributes"]
    rng = np.random.default_rng(0)
    constants = {"w": rng.standard_normal(shape).astype(np.float32), "b": np.ones(shape[0], np.float32)}
    return helper.make_model(
        helper.make_graph(
            [helper.make_node("Conv", ["x", "w", "b"], ["c"], **attributes), helper.make_node("Relu", ["c"], ["y"])],
            "convolution",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 8, "h", "w"])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", shape[0], None, None])],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )


def _images(seed: int, count: int = 6) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((count, 8, 12, 10)).astype(np.float32)
    x[:, 3] = x[:, 3] * 20 + 30  # an outlier channel
    return x


def _quantized(kind: str, strategy: str, scratch: Path) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    prepared = prepare.prepare(_graph(kind), scratch)
    feeds = [{"x": image[None]} for image in _images(0, 12)]
    known = part(prepared, observe(prepared, find(Graph(prepared)), feeds, 1, scratch))
    named = [*local({"model": known}, lambda message: None), *uniform({"model": known})]
    schemes = next(parts for name, parts in named if name.startswith(strategy))
    return prepared, canonical.quantize(prepared, schemes["model"])


def _run(model: onnx.ModelProto, x: np.ndarray, scratch: Path) -> np.ndarray:
    onnx.save(model, scratch / "run.onnx")
    answer: np.ndarray = open_session(scratch / "run.onnx", 1, exact_x86=False).run(None, {"x": x})[0]
    return answer


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("strategy", ["each layer's", "min-max, SmoothQuant α 0.8"])
def test_int8_is_close_to_float(kind: str, strategy: str, tmp_path: Path) -> None:
    prepared, int8 = _quantized(kind, strategy, tmp_path)
    check(int8)
    x = _images(9)
    wanted = _run(prepared, x, tmp_path)
    for model in (int8, lower_x86.lower(int8)):
        error = np.square(_run(model, x, tmp_path) - wanted).sum() / np.square(wanted).sum()
        assert error < 2e-3


@pytest.mark.parametrize("kind", _KINDS)
def test_openvino_runs_it_in_integers(kind: str, tmp_path: Path) -> None:
    prepared, int8 = _quantized(kind, "each layer's", tmp_path)
    onnx.save(lower_x86.lower(int8), tmp_path / openvino_name("model"))
    operators = audit.audit(tmp_path, ["model"], Engine.OPENVINO, exact_x86=False, scratch=tmp_path)
    assert operators.quantized == {"Convolution": 1}
    x = _images(9)
    wanted = _run(prepared, x, tmp_path)
    answered = open_graph(tmp_path, "model", 1, exact_x86=False).run(["y"], {"x": x})[0]
    assert np.square(answered - wanted).sum() / np.square(wanted).sum() < 2e-3


@pytest.mark.parametrize("kind", _KINDS)
def test_a_window_holds_what_the_convolution_reads(kind: str, tmp_path: Path) -> None:
    prepared = prepare.prepare(_graph(kind), tmp_path)
    (product,) = find(Graph(prepared))
    assert product.window is not None
    image = _images(5, 1)
    rows = product.window.rows(image, 10_000, np.random.default_rng(0))
    kernel = Kernel("Conv", Graph(prepared).constant(product.weights), product.groups)
    answers = np.maximum(kernel.answer(rows) + 1, 0)  # all places, in order, with the bias and the ReLU
    expected = _run(prepared, image, tmp_path)[0].reshape(len(kernel.values), -1).T
    np.testing.assert_allclose(answers, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("kind", _KINDS)
def test_smoothing_moves_nothing_but_the_difficulty(kind: str, tmp_path: Path) -> None:
    shape = _KINDS[kind]["weights"]
    groups = _KINDS[kind]["attributes"].get("group", 1)
    kernel = Kernel("Conv", np.random.default_rng(1).standard_normal(shape).astype(np.float32), groups)
    factor = np.random.default_rng(2).uniform(0.1, 10, 8).astype(np.float32)
    assert kernel.by_input().shape[0] == 8
    rows = np.random.default_rng(3).standard_normal((5, 8 * int(np.prod(shape[2:])))).astype(np.float32)
    multiplied = rows * np.repeat(factor, rows.shape[1] // 8)
    np.testing.assert_allclose(kernel.divided(factor).answer(multiplied), kernel.answer(rows), rtol=1e-3, atol=1e-4)
