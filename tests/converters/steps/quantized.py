"""Graphs that somebody quantized before us."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

Quantize = Callable[[onnx.ModelProto, Path], onnx.ModelProto]
"""The graph quantized; the path is a directory for what is not needed afterwards."""


def partly_quantized(model: onnx.ModelProto, scratch: Path) -> onnx.ModelProto:
    """The graph with symmetric S8 Q/DQ around the input of its first product, as a canonical file might have it."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    product = next(node for node in copy.graph.node if node.op_type == "MatMul")
    copy.graph.initializer.extend(
        [numpy_helper.from_array(np.array(0.03, np.float32), "s"), numpy_helper.from_array(np.array(0, np.int8), "z")]
    )
    around = [
        helper.make_node("QuantizeLinear", [product.input[0], "s", "z"], ["levels"]),
        helper.make_node("DequantizeLinear", ["levels", "s", "z"], ["again"]),
    ]
    product.input[0] = "again"
    nodes = [*around, *copy.graph.node]
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


def dynamically_quantized(model: onnx.ModelProto, scratch: Path) -> onnx.ModelProto:
    """The graph as ONNX Runtime's `quantize_dynamic` writes it, with its first product left in float."""
    from onnxruntime.quantization import quantize_dynamic

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for number, node in enumerate(copy.graph.node):
        node.name = f"node{number}"
    scratch.mkdir(parents=True, exist_ok=True)
    source, target = scratch / "float.onnx", scratch / "dynamic.onnx"
    onnx.save(copy, source)
    quantize_dynamic(source, target, nodes_to_exclude=["node0"])
    return onnx.load(target)
