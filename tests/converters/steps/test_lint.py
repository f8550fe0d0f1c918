"""Each rule of the canonical file, broken once: what the linter lets through, TensorRT takes and answers wrongly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from converters.steps.lint import CanonicalInvalid, check
from converters.tensorrt.float16 import to_half
from tests.converters.tensorrt.graphs import block, convolutions, model_of, node_named, replace

Break = Callable[[onnx.ModelProto], None]


def violations(model: onnx.ModelProto, *, half: bool = False) -> list[str]:
    try:
        check(model, half=half)
    except CanonicalInvalid as error:
        return error.violations
    return []


def constant(model: onnx.ModelProto, name: str) -> np.ndarray:
    return numpy_helper.to_array(next(tensor for tensor in model.graph.initializer if tensor.name == name))


def weights_of(model: onnx.ModelProto, kind: str) -> onnx.NodeProto:
    """The DequantizeLinear of the weights of the first operator of a kind."""
    name = node_named(model, kind).input[1]
    return next(node for node in model.graph.node if name in node.output)


def set_axis(node: onnx.NodeProto, axis: int) -> None:
    del node.attribute[:]
    node.attribute.append(helper.make_attribute("axis", axis))


def add_node(model: onnx.ModelProto, node: onnx.NodeProto) -> None:
    """A node more, whose output the graph answers."""
    model.graph.node.append(node)
    model.graph.output.append(helper.make_empty_tensor_value_info(node.output[0]))


def add_constant(model: onnx.ModelProto, name: str, value: np.ndarray) -> None:
    model.graph.initializer.append(numpy_helper.from_array(value, name))


@pytest.mark.parametrize("model", [convolutions(), block()])
def test_what_the_canonical_step_writes_is_taken(model: onnx.ModelProto) -> None:
    assert violations(model) == []
    assert violations(to_half(model).model, half=True) == []


def _ir_version(model: onnx.ModelProto) -> None:
    model.ir_version = 11


def _opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 21


def _activation_u8(model: onnx.ModelProto) -> None:
    replace(model, node_named(model, "QuantizeLinear").input[2], np.array(0, np.uint8))


def _activation_int16(model: onnx.ModelProto) -> None:
    replace(model, node_named(model, "QuantizeLinear").input[2], np.array(0, np.int16))


def _no_zero_point(model: onnx.ModelProto) -> None:
    del node_named(model, "QuantizeLinear").input[2]


def _computed_zero_point(model: onnx.ModelProto) -> None:
    zero = node_named(model, "QuantizeLinear").input[2]
    model.graph.node.insert(0, helper.make_node("Identity", [zero], ["computed"]))
    for node in model.graph.node:
        if zero in node.input and node.op_type != "Identity":
            node.input[2] = "computed"


def _zero_point_of_three(model: onnx.ModelProto) -> None:
    replace(model, node_named(model, "QuantizeLinear").input[2], np.array(3, np.int8))


def _zero_point_of_weights(model: onnx.ModelProto) -> None:
    name = weights_of(model, "Conv").input[2]
    replace(model, name, np.full_like(constant(model, name), 1))


def _scale(value: float) -> Break:
    return lambda model: replace(model, node_named(model, "QuantizeLinear").input[1], np.array(value, np.float32))


def _scale_of_a_weight(model: onnx.ModelProto) -> None:
    name = weights_of(model, "Conv").input[1]
    scales = constant(model, name).copy()
    scales[3] = -scales[3]
    replace(model, name, scales)


def _computed_scale(model: onnx.ModelProto) -> None:
    scale = node_named(model, "QuantizeLinear").input[1]
    model.graph.node.insert(0, helper.make_node("Identity", [scale], ["computed"]))
    node_named(model, "QuantizeLinear").input[1] = "computed"


def _double_scale(model: onnx.ModelProto) -> None:
    name = node_named(model, "QuantizeLinear").input[1]
    replace(model, name, constant(model, name).astype(np.float64))


def _scale_per_channel_of_an_activation(model: onnx.ModelProto) -> None:
    replace(model, node_named(model, "QuantizeLinear").input[1], np.full(16, 0.1, np.float32))


def _other_parameters(model: onnx.ModelProto) -> None:
    add_constant(model, "other", np.array(0.5, np.float32))
    node_named(model, "DequantizeLinear").input[1] = "other"


def _conv_axis(model: onnx.ModelProto) -> None:
    set_axis(weights_of(model, "Conv"), 1)


def _conv_transpose_axis(model: onnx.ModelProto) -> None:
    set_axis(weights_of(model, "ConvTranspose"), 0)


def _weights_per_tensor(model: onnx.ModelProto) -> None:
    node = weights_of(model, "Conv")
    replace(model, node.input[1], np.array(0.01, np.float32))
    replace(model, node.input[2], np.array(0, np.int8))


def _weights_int16(model: onnx.ModelProto) -> None:
    name = weights_of(model, "Conv").input[0]
    replace(model, name, constant(model, name).astype(np.int16))


def _quantized_bias(model: onnx.ModelProto) -> None:
    add_constant(model, "bias_levels", np.ones(32, np.int32))
    add_constant(model, "bias_scales", np.full(32, 0.01, np.float32))
    add_constant(model, "bias_zeros", np.zeros(32, np.int32))
    parts = ["bias_levels", "bias_scales", "bias_zeros"]
    model.graph.node.insert(0, helper.make_node("DequantizeLinear", parts, ["bias"], axis=0))
    node_named(model, "Conv").input[2] = "bias"


def _one_input_of_a_conv(model: onnx.ModelProto) -> None:
    node_named(model, "Conv").input[0] = "x"


def _float_weights(model: onnx.ModelProto) -> None:
    add_constant(model, "float_weights", np.ones((32, 16, 3, 3), np.float32))
    node_named(model, "Conv").input[1] = "float_weights"


def _reader(kind: str) -> Break:
    """Something beside the Conv reads the dequantized activation."""

    def add(model: onnx.ModelProto) -> None:
        add_node(model, helper.make_node(kind, [node_named(model, "Conv").input[0]], ["more"]))

    return add


def _layer_norm(model: onnx.ModelProto) -> None:
    add_constant(model, "gain", np.ones(8, np.float32))
    activation = node_named(model, "Conv").input[0]
    add_node(model, helper.make_node("LayerNormalization", [activation, "gain"], ["more"]))


def _both_branches_of_an_add(model: onnx.ModelProto) -> None:
    activation = node_named(model, "Conv").input[0]
    add_node(model, helper.make_node("Add", [activation, activation], ["more"]))


def _integers_are_read(model: onnx.ModelProto) -> None:
    add_node(model, helper.make_node("Identity", [node_named(model, "QuantizeLinear").output[0]], ["more"]))


def _quantized_output(model: onnx.ModelProto) -> None:
    model.graph.output.append(helper.make_empty_tensor_value_info(node_named(model, "Conv").input[0]))


def _constant_is_quantized_at_run_time(model: onnx.ModelProto) -> None:
    add_constant(model, "still", np.ones((1, 16, 8, 8), np.float32))
    node_named(model, "QuantizeLinear").input[0] = "still"


def _foreign(model: onnx.ModelProto) -> None:
    node_named(model, "QuantizeLinear").domain = "com.microsoft"


def _integer_operator(model: onnx.ModelProto) -> None:
    quantized = node_named(model, "QuantizeLinear").output[0]
    add_node(model, helper.make_node("ConvInteger", [quantized, quantized], ["more"]))


def _inside_a_branch(model: onnx.ModelProto) -> None:
    parts = list(node_named(model, "QuantizeLinear").input)
    output = helper.make_empty_tensor_value_info("inner")
    branch = helper.make_graph([helper.make_node("QuantizeLinear", parts, ["inner"])], "branch", [], [output])
    add_constant(model, "yes", np.array(True))
    add_node(model, helper.make_node("If", ["yes"], ["more"], then_branch=branch, else_branch=branch))


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (_ir_version, "IR version 11 is above 10"),
        (_opset, "opset 21 is not 20"),
        (_activation_u8, "U8 is read as S8"),
        (_activation_int16, "not a constant S8"),
        (_no_zero_point, "not a constant S8"),
        (_computed_zero_point, "not a constant S8"),
        (_zero_point_of_three, "the zero point is not 0"),
        (_zero_point_of_weights, "the zero point is not 0"),
        (_scale(0.0), "not a positive constant"),
        (_scale(-1.0), "not a positive constant"),
        (_scale(float("nan")), "not a positive constant"),
        (_scale(float("inf")), "not a positive constant"),
        (_scale_of_a_weight, "not a positive constant"),
        (_computed_scale, "not a positive constant"),
        (_double_scale, "the scale is float64"),
        (_scale_per_channel_of_an_activation, "an activation has more than one scale"),
        (_other_parameters, "not quantized with the parameters"),
        (_conv_axis, "the weights of Conv are not scaled per output channel"),
        (_conv_transpose_axis, "the weights of ConvTranspose are not scaled per output channel"),
        (_weights_per_tensor, "the weights of Conv are not scaled per output channel"),
        (_weights_int16, "constants are int16 and not S8"),
        (_quantized_bias, "the bias is quantized"),
        (_quantized_bias, "constants are int32 and not S8"),
        (_one_input_of_a_conv, "only one input of Conv is quantized"),
        (_float_weights, "only one input of Conv is quantized"),
        (_reader("Softmax"), "Softmax must stay float"),
        (_reader("Sigmoid"), "Sigmoid must stay float"),
        (_reader("Gelu"), "Gelu must stay float"),
        (_reader("Relu"), "Relu must stay float"),
        (_layer_norm, "LayerNormalization must stay float"),
        (_both_branches_of_an_add, "Add must stay float on one of its branches"),
        (_integers_are_read, "Identity reads integers"),
        (_quantized_output, "the graph's output is quantized"),
        (_constant_is_quantized_at_run_time, "a constant is quantized when the graph runs"),
        (_foreign, "QuantizeLinear is not ONNX's own"),
        (_integer_operator, "ConvInteger is an operator of a lowering"),
        (_inside_a_branch, "a branch or a loop has quantized values inside"),
    ],
)
def test_a_broken_rule_is_named(break_it: Break, says: str) -> None:
    model = convolutions()
    break_it(model)
    assert [line for line in violations(model) if says in line]


def test_scales_along_the_inputs_of_a_product_are_refused() -> None:
    """A matrix with as many rows as columns hides the mistake: it builds, and only the axis tells."""
    model = block()
    assert constant(model, weights_of(model, "MatMul").input[0]).shape == (32, 32)
    set_axis(weights_of(model, "MatMul"), 0)
    assert [line for line in violations(model) if "MatMul are not scaled per output channel" in line]


def test_an_axis_counted_from_the_end_is_the_same_axis() -> None:
    model = block()
    set_axis(weights_of(model, "MatMul"), -1)
    assert violations(model) == []


def test_weights_on_the_left_of_a_product_are_refused() -> None:
    model = block()
    product = node_named(model, "MatMul")
    product.input[0], product.input[1] = product.input[1], product.input[0]
    assert [line for line in violations(model) if "the weights of MatMul are not its second input" in line]


def test_a_quantized_gemm_is_refused() -> None:
    model = block()
    node_named(model, "MatMul").op_type = "Gemm"
    assert [line for line in violations(model) if "Gemm is quantized" in line]


def test_scales_per_block_are_refused() -> None:
    model = block()
    weights_of(model, "MatMul").attribute.append(helper.make_attribute("block_size", 16))
    assert [line for line in violations(model) if "the scales are per block" in line]


def test_one_branch_of_a_residual_may_be_quantized() -> None:
    model = convolutions()
    activation = node_named(model, "Conv").input[0]
    add_node(model, helper.make_node("Add", [activation, "x"], ["more"]))
    assert violations(model) == []


def test_a_product_of_two_activations_is_quantized_on_both_sides_or_on_none() -> None:
    scale, zero = np.array(0.1, np.float32), np.array(0, np.int8)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        helper.make_node("MatMul", ["d", "d"], ["y"]),
    ]
    model = model_of(nodes, {"x": ["batch", 4, 4]}, {"y": ["batch", 4, 4]}, {"scale": scale, "zero": zero})
    assert violations(model) == []
    node_named(model, "MatMul").input[1] = "x"
    assert violations(model) == ["y: only one input of MatMul is quantized"]


def test_fp16_scales_are_for_the_cast_form_only() -> None:
    model = to_half(convolutions()).model
    assert violations(model, half=True) == []
    assert [line for line in violations(model) if "the scale is float16" in line]


def test_a_scale_with_a_dimension_is_refused_in_the_cast_form() -> None:
    model = to_half(convolutions()).model
    name = node_named(model, "QuantizeLinear").input[1]
    replace(model, name, constant(model, name).reshape(1))
    assert [line for line in violations(model, half=True) if "runs a Conv in float" in line]
