"""Small graphs with Q/DQ as the canonical step writes it: convolutions, and a block of a transformer."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from converters.steps import canonical
from converters.steps.canonical import Scheme
from registry.spec.session import Feeds

WIDTH = 32
NEVER = np.finfo(np.float32).min


def convolutions() -> onnx.ModelProto:
    """y = ConvTranspose(Relu(Conv(x))) quantized; x FP32 [batch, 16, 8, 8], y FP32 [batch, 16, 10, 10]."""
    rng = np.random.default_rng(2)
    constants = {
        "w1": rng.standard_normal((32, 16, 3, 3)).astype(np.float32) / 12,
        "b1": rng.standard_normal(32).astype(np.float32),
        "w2": rng.standard_normal((32, 16, 3, 3)).astype(np.float32) / 12,
    }
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("ConvTranspose", ["r", "w2"], ["y"]),
    ]
    model = model_of(nodes, {"x": ["batch", 16, 8, 8]}, {"y": ["batch", 16, 10, 10]}, constants)
    return canonical.quantize(model, {"c": Scheme(-4.0, 4.0), "y": Scheme(0.0, 6.0)})


def images(rows: int = 4) -> Feeds:
    """Inputs of `convolutions`."""
    return {"x": np.random.default_rng(5).standard_normal((rows, 16, 8, 8)).astype(np.float32)}


def float_block() -> onnx.ModelProto:
    """Attention with a mask, residuals, a decomposed layer norm and a GELU: x FP32 [batch, tokens, 32], mask INT64."""
    rng = np.random.default_rng(3)
    root = np.float32(1 / np.sqrt(WIDTH))
    constants: dict[str, Any] = {
        **{name: rng.standard_normal((WIDTH, WIDTH)).astype(np.float32) * root for name in ("wq", "wk", "wv")},
        "w1": rng.standard_normal((WIDTH, 64)).astype(np.float32) * root,
        "w2": rng.standard_normal((64, WIDTH)).astype(np.float32) * root,
        "b1": rng.standard_normal(64).astype(np.float32),
        "root": root,
        "one": np.float32(1),
        "never": np.float32(NEVER),
        "epsilon": np.float32(1e-12),
        "two": np.float32(2),
        "middle": np.array([1], np.int64),
        "last": np.array([-1], np.int64),
    }
    nodes = [
        *(helper.make_node("MatMul", ["x", f"w{name}"], [name]) for name in "qkv"),
        helper.make_node("Transpose", ["k"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "turned"], ["products"]),
        helper.make_node("Mul", ["products", "root"], ["scores"]),
        helper.make_node("Cast", ["mask"], ["mask_float"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["one", "mask_float"], ["hidden"]),
        helper.make_node("Mul", ["hidden", "never"], ["penalty"]),
        helper.make_node("Unsqueeze", ["penalty", "middle"], ["penalties"]),
        helper.make_node("Add", ["scores", "penalties"], ["masked"]),
        helper.make_node("Softmax", ["masked"], ["attention"], axis=-1),
        helper.make_node("MatMul", ["attention", "v"], ["context"]),
        helper.make_node("Add", ["context", "x"], ["residual"]),
        helper.make_node("ReduceMean", ["residual", "last"], ["mean"]),
        helper.make_node("Sub", ["residual", "mean"], ["centred"]),
        helper.make_node("Pow", ["centred", "two"], ["squares"]),
        helper.make_node("ReduceMean", ["squares", "last"], ["variance"]),
        helper.make_node("Add", ["variance", "epsilon"], ["positive"]),
        helper.make_node("Sqrt", ["positive"], ["deviation"]),
        helper.make_node("Div", ["centred", "deviation"], ["normal"]),
        helper.make_node("MatMul", ["normal", "w1"], ["wide"]),
        helper.make_node("Add", ["wide", "b1"], ["biased"]),
        helper.make_node("Gelu", ["biased"], ["active"]),
        helper.make_node("MatMul", ["active", "w2"], ["narrow"]),
        helper.make_node("Add", ["narrow", "normal"], ["y"]),
    ]
    inputs = {"x": ["batch", "tokens", WIDTH], "mask": ["batch", "tokens"]}
    model = model_of(nodes, inputs, {"y": ["batch", "tokens", WIDTH]}, constants)
    model.graph.input[1].type.tensor_type.elem_type = TensorProto.INT64
    return model


def block(smoothing: NDArray[np.float32] | None = None) -> onnx.ModelProto:
    """`float_block` with its five products of constant weights quantized; `smoothing` [32] is of the fourth."""
    schemes = {name: Scheme(-4.5, 4.5) for name in "qkv"}
    return canonical.quantize(
        float_block(), {**schemes, "wide": Scheme(-4.5, 4.5, smoothing), "narrow": Scheme(-0.2, 5.0)}
    )


def sentences(rows: int = 3, tokens: int = 7) -> Feeds:
    """Inputs of `block`: the last row is half padding."""
    mask = np.ones((rows, tokens), np.int64)
    mask[-1, tokens // 2 :] = 0
    x = np.random.default_rng(5).standard_normal((rows, tokens, WIDTH)).astype(np.float32)
    return {"x": x, "mask": mask}


def model_of(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, list[str | int]],
    outputs: dict[str, list[str | int]],
    constants: dict[str, Any],
) -> onnx.ModelProto:
    """A model in the canonical opset; inputs and outputs are FP32."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def node_named(model: onnx.ModelProto, kind: str, number: int = 0) -> onnx.NodeProto:
    """The `number`-th node of a kind, of the model itself: what is changed in it is changed in the model."""
    return [node for node in model.graph.node if node.op_type == kind][number]


def replace(model: onnx.ModelProto, name: str, value: NDArray[Any]) -> None:
    """Give a constant another value."""
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    tensor.CopyFrom(numpy_helper.from_array(value, name))
