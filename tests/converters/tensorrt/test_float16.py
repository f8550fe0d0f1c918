"""The cast to FP16: the same answers, types as a strongly typed network reads them, and nothing beyond 65504."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from converters.steps.lint import check
from converters.tensorrt import magnitudes
from converters.tensorrt.float16 import Half, to_half
from converters.tensorrt.value_types import value_types
from registry.spec.session import Feeds, open_session
from tests.converters.tensorrt.graphs import (
    WIDTH,
    block,
    convolutions,
    float_block,
    images,
    model_of,
    node_named,
    replace,
    sentences,
)

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16


def run(model: onnx.ModelProto, feeds: Feeds, directory: Path) -> NDArray[Any]:
    """What the operators say, one by one: ONNX Runtime's optimiser joins Q/DQ with FP16 scales to wrong kernels."""
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, directory / "graph.onnx")
    return open_session(directory / "graph.onnx", 1, exact_x86=False, level="none").run(None, feeds)[0]


def type_of(model: onnx.ModelProto, name: str) -> int:
    return value_types(model)[name]


def computed(half: Half, kind: str) -> list[int]:
    """The types that the operators of a kind write."""
    types = value_types(half.model)
    return [types[node.output[0]] for node in half.model.graph.node if node.op_type == kind]


@pytest.mark.parametrize(
    ("make", "feeds", "tolerance"),
    [
        (float_block, sentences(), 0.005),  # of values up to 5.7: one part in 2048 at each step
        (block, sentences(), 0.1),  # and here and there another level of a Q
        (convolutions, images(), 0.05),
    ],
)
def test_the_answers_stay_what_they_were(
    make: Callable[[], onnx.ModelProto], feeds: Feeds, tolerance: float, tmp_path: Path
) -> None:
    model = make()
    before, after = run(model, feeds, tmp_path), run(to_half(model).model, feeds, tmp_path)
    assert before.dtype == after.dtype == np.float32
    assert np.abs(before - after).max() < tolerance
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.9999


@pytest.mark.parametrize("make", [block, convolutions])
def test_inputs_and_outputs_are_untouched(make: Callable[[], onnx.ModelProto]) -> None:
    model = make()
    half = to_half(model).model
    assert list(half.graph.input) == list(model.graph.input)
    assert list(half.graph.output) == list(model.graph.output)


@pytest.mark.parametrize("make", [block, convolutions])
def test_quantization_reads_and_writes_the_type_of_its_scale(make: Callable[[], onnx.ModelProto]) -> None:
    half = to_half(make())
    types = value_types(half.model)
    for node in half.model.graph.node:
        if node.op_type == "QuantizeLinear":
            assert types[node.input[0]] == types[node.input[1]] == HALF
        if node.op_type == "DequantizeLinear":
            assert types[node.output[0]] == types[node.input[1]] == HALF
    assert set(computed(half, "MatMul") + computed(half, "Conv") + computed(half, "ConvTranspose")) == {HALF}


def test_scales_of_activations_have_no_dimension_and_those_of_weights_one() -> None:
    half = to_half(convolutions()).model
    shapes = {tensor.name: list(tensor.dims) for tensor in half.graph.initializer}
    activations = [node for node in half.graph.node if node.op_type == "QuantizeLinear"]
    assert [shapes[name] for node in activations for name in node.input[1:]] == [[]] * 4
    weights = [node for node in half.graph.node if node.op_type == "DequantizeLinear" and node.input[0] in shapes]
    assert [shapes[node.input[1]] for node in weights] == [[32], [16]]


def test_operators_that_lose_their_meaning_stay_fp32() -> None:
    half = to_half(block())
    for kind in ("Softmax", "Pow", "ReduceMean", "Sqrt"):
        assert set(computed(half, kind)) == {FLOAT}
        assert f"{kind} runs in FP32" in half.kept.values()
    assert set(computed(half, "Gelu")) == {HALF}


def test_an_epsilon_that_would_vanish_keeps_its_operator_in_fp32() -> None:
    half = to_half(block())
    assert half.kept["positive"].startswith("epsilon is 1e-12")


def test_a_number_that_says_never_becomes_the_greatest() -> None:
    half = to_half(block())
    assert half.saturated == ("never",)
    tensor = next(tensor for tensor in half.model.graph.initializer if tensor.name.startswith("never_half"))
    assert onnx.numpy_helper.to_array(tensor) == np.float16(-65504)


def test_masked_tokens_have_no_influence_after_the_cast(tmp_path: Path) -> None:
    half = to_half(block()).model
    feeds = dict(sentences())
    before = run(half, feeds, tmp_path)
    feeds["x"] = feeds["x"].copy()
    feeds["x"][-1, 4:] *= 3  # what the mask hides
    np.testing.assert_array_equal(before[-1, :3], run(half, feeds, tmp_path)[-1, :3])


def scaled(factor: float) -> onnx.ModelProto:
    """y = Relu(x · factor + 1), x FP32 [batch, 4]."""
    nodes = [
        helper.make_node("Mul", ["x", "factor"], ["product"]),
        helper.make_node("Add", ["product", "one"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["y"]),
    ]
    constants = {"factor": np.float32(factor), "one": np.float32(1)}
    return model_of(nodes, {"x": ["batch", 4]}, {"y": ["batch", 4]}, constants)


def test_a_constant_beyond_65504_keeps_its_operator_in_fp32(tmp_path: Path) -> None:
    half = to_half(scaled(1e5))
    assert half.kept == {"product": "factor reaches 1e+05, and FP16 ends at 65504"}
    x = np.full((1, 4), 0.1, np.float32)
    np.testing.assert_allclose(run(half.model, {"x": x}, tmp_path), 10001, rtol=1e-3)


def test_a_factor_too_small_for_fp16_keeps_its_operator_in_fp32() -> None:
    assert "factor is 1e-06" in to_half(scaled(1e-6)).kept["product"]
    assert to_half(scaled(1e-3)).kept == {}


def test_a_factor_is_exact_in_each_of_its_elements() -> None:
    smoothing = np.ones(WIDTH, np.float32)
    smoothing[7] = 1e-5
    half = to_half(block(smoothing))
    assert half.kept["wide_smoothed"].startswith("wide_smoothing is 1e-05")
    assert "narrow" not in half.kept


def test_values_that_calibration_saw_beyond_half_of_fp16_stay_fp32(tmp_path: Path) -> None:
    model = scaled(100)
    x = np.array([[1.0, -2, 3, 500]], np.float32)
    seen = magnitudes.observe(model, [{"x": x}, {"x": x / 2}], 1, tmp_path)
    assert seen == {"product": 50000.0, "sum": 50001.0, "y": 50001.0}
    assert not list(tmp_path.iterdir())
    half = to_half(model, seen)
    assert set(half.kept) == {"product", "sum", "y"}
    assert to_half(model).kept == {}
    np.testing.assert_array_equal(run(half.model, {"x": x * 4}, tmp_path), run(model, {"x": x * 4}, tmp_path))


def test_a_product_whose_scale_does_not_fit_stays_fp32_with_its_quantization(tmp_path: Path) -> None:
    model = convolutions()
    scale = node_named(model, "QuantizeLinear").input[1]
    replace(model, scale, np.array([1e-6], np.float32))
    half = to_half(model)
    types = value_types(half.model)
    product = node_named(half.model, "Conv")
    assert [types[name] for name in (*product.input, *product.output)] == [FLOAT] * 4
    assert types[node_named(half.model, "ConvTranspose").output[0]] == HALF
    assert {name: why for name, why in half.kept.items() if "x_scale is 1e-06" not in why} == {}
    assert set(half.kept) == {"x_quantized", "x_activation", "c_weights", "c"}
    run(half.model, images(), tmp_path)


def test_a_channel_without_weights_keeps_no_product_in_fp32(tmp_path: Path) -> None:
    model = convolutions()
    levels, scales, _ = next(node.input for node in model.graph.node if "c_weights" in node.output)
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor).copy() for tensor in model.graph.initializer}
    tensors[levels][3] = 0
    tensors[scales][3] = 1e-8 / 127
    replace(model, levels, tensors[levels])
    replace(model, scales, tensors[scales])
    half = to_half(model)
    assert half.kept == {}
    check(half.model, half=True)
    before, after = run(model, images(), tmp_path), run(half.model, images(), tmp_path)
    assert np.abs(before - after).max() < 0.05


def test_operators_that_only_carry_take_the_type_they_are_given() -> None:
    nodes = [
        helper.make_node("Softmax", ["x"], ["s"]),
        helper.make_node("Transpose", ["s"], ["t"]),
        helper.make_node("Softmax", ["t"], ["y"]),
    ]
    half = to_half(model_of(nodes, {"x": [2, 2]}, {"y": [2, 2]}, {}))
    assert [node.op_type for node in half.model.graph.node] == ["Softmax", "Transpose", "Softmax"]


def test_a_table_that_is_looked_up_takes_half_the_bytes(tmp_path: Path) -> None:
    table = np.random.default_rng(0).standard_normal((500, 16)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["x"], ["ids"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "ids"], ["y"]),
    ]
    model = model_of(nodes, {"x": ["batch"]}, {"y": ["batch", 16]}, {"table": table})
    half = to_half(model).model
    assert half.ByteSize() < 0.6 * model.ByteSize()
    x = np.arange(5, dtype=np.float32)
    np.testing.assert_array_equal(run(half, {"x": x}, tmp_path), table[:5].astype(np.float16).astype(np.float32))


def test_sizes_of_a_resize_stay_fp32(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Resize", ["r", "", "scales"], ["y"])]
    constants = {"scales": np.array([1, 1, 2, 2], np.float32)}
    half = to_half(model_of(nodes, {"x": [1, 1, 2, 2]}, {"y": [1, 1, 4, 4]}, constants)).model
    assert type_of(half, node_named(half, "Resize").output[0]) == HALF
    assert type_of(half, "scales") == FLOAT
    assert run(half, {"x": np.ones((1, 1, 2, 2), np.float32)}, tmp_path).shape == (1, 1, 4, 4)


def test_branches_read_what_is_around_them_in_fp32(tmp_path: Path) -> None:
    def branch(kind: str) -> onnx.GraphProto:
        output = helper.make_tensor_value_info(f"{kind}_y", FLOAT, ["batch", 4])
        return helper.make_graph([helper.make_node(kind, ["r"], [f"{kind}_y"])], kind, [], [output])

    nodes = [
        helper.make_node("Mul", ["x", "two"], ["r"]),
        helper.make_node("ReduceMax", ["x"], ["greatest"], keepdims=0),
        helper.make_node("Greater", ["greatest", "two"], ["yes"]),
        helper.make_node("If", ["yes"], ["z"], then_branch=branch("Neg"), else_branch=branch("Identity")),
        helper.make_node("Mul", ["z", "two"], ["y"]),
    ]
    model = model_of(nodes, {"x": ["batch", 4]}, {"y": ["batch", 4]}, {"two": np.float32(2)})
    half = to_half(model)
    assert type_of(half.model, "r") == FLOAT
    for x in (np.ones((1, 4), np.float32), np.full((1, 4), 3, np.float32)):
        np.testing.assert_array_equal(run(model, {"x": x}, tmp_path), run(half.model, {"x": x}, tmp_path))


def test_constants_in_nodes_are_constants_too(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Constant", [], ["factor"], value_float=1e5),
        helper.make_node("Mul", ["x", "factor"], ["y"]),
    ]
    half = to_half(model_of(nodes, {"x": ["batch", 4]}, {"y": ["batch", 4]}, {}))
    assert half.kept["y"] == "factor reaches 1e+05, and FP16 ends at 65504"


def test_operators_of_others_stay_fp32() -> None:
    nodes = [
        helper.make_node("Mul", ["x", "x"], ["m"]),
        helper.make_node("Gelu", ["m"], ["y"], domain="com.microsoft"),
    ]
    model = model_of(nodes, {"x": ["batch", 4]}, {"y": ["batch", 4]}, {})
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    half = to_half(model)
    assert half.kept == {"y": "Gelu runs in FP32"}
    assert node_named(half.model, "Gelu").input[0] == "m"


def test_a_value_of_unknown_type_is_named() -> None:
    nodes = [
        helper.make_node("Mystery", ["x"], ["m"], domain="ours"),
        helper.make_node("Mul", ["m", "m"], ["y"]),
    ]
    model = model_of(nodes, {"x": ["batch", 4]}, {"y": ["batch", 4]}, {})
    model.opset_import.append(helper.make_opsetid("ours", 1))
    with pytest.raises(ValueError, match="the type of the value 'm' cannot be inferred"):
        to_half(model)


def test_the_same_graph_gives_the_same_bytes_and_is_not_changed() -> None:
    model = block()
    before = model.SerializeToString()
    assert to_half(model).model.SerializeToString() == to_half(model).model.SerializeToString()
    assert model.SerializeToString() == before
