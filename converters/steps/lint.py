"""The rules of the canonical INT8 file, checked: what breaks them builds silently in TensorRT and answers wrongly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper

from converters.steps.graph import OPSET, Graph

_OUTPUT_AXIS = {"MatMul": 1, "Conv": 0, "ConvTranspose": 1}


class CanonicalInvalid(ValueError):
    """The graph breaks rules of the canonical file; `violations` says which, one sentence each."""

    def __init__(self, violations: list[str]) -> None:
        super().__init__("; ".join(violations))
        self.violations = violations


def check(model: onnx.ModelProto) -> None:
    """Raise CanonicalInvalid unless `model` is symmetric S8 Q/DQ as TensorRT 10 and 11 take it."""
    graph = Graph(model)
    violations = list(_versions(model))
    for node in graph.nodes:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            violations += _linear(graph, node)
        else:
            violations += _operator(graph, node)
    if violations:
        raise CanonicalInvalid(violations)


def _versions(model: onnx.ModelProto) -> Iterator[str]:
    if model.ir_version > 10:
        yield f"IR version {model.ir_version} is above 10"
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx") and entry.version != OPSET:
            yield f"opset {entry.version} is not {OPSET}"


def _linear(graph: Graph, node: onnx.NodeProto) -> Iterator[str]:
    """Rules of one QuantizeLinear or DequantizeLinear."""
    name = node.output[0]
    scale = graph.constant(node.input[1])
    zero = graph.constant(node.input[2]) if len(node.input) == 3 else None
    if scale is None or scale.dtype != np.float32 or not np.isfinite(scale).all() or not (scale > 0).all():
        yield f"{name}: the scale is not a positive constant"
    if zero is None or zero.dtype != np.int8:
        yield f"{name}: the zero point is not a constant S8 (U8 is read as S8 without a word)"
    elif zero.any():
        yield f"{name}: the zero point is not 0"
    if node.op_type == "QuantizeLinear" and scale is not None and scale.size != 1:
        yield f"{name}: an activation has more than one scale"
    if node.op_type == "DequantizeLinear":
        yield from _dequantized(graph, node)


def _dequantized(graph: Graph, node: onnx.NodeProto) -> Iterator[str]:
    name, levels, scale = node.output[0], graph.constant(node.input[0]), graph.constant(node.input[1])
    if levels is None:
        source = graph.producer(node.input[0])
        if source is None or source.op_type != "QuantizeLinear" or list(source.input[1:]) != list(node.input[1:]):
            yield f"{name}: an activation is not quantized with the parameters it is dequantized with"
        return
    if levels.dtype != np.int8:
        yield f"{name}: constants are {levels.dtype} and not S8 (a bias stays float)"
        return
    axis = next((helper.get_attribute_value(a) for a in node.attribute if a.name == "axis"), 1)
    for reader in graph.consumers(name):
        expected = _OUTPUT_AXIS.get(reader.op_type)
        if expected is None or axis != expected or scale is None or scale.shape != (levels.shape[expected],):
            yield f"{name}: the weights of {reader.op_type} are not scaled per output channel"


def _operator(graph: Graph, node: onnx.NodeProto) -> Iterator[str]:
    """An operator reads Q/DQ on both its data inputs or on none, and its bias is float."""
    producers = [graph.producer(name) for name in node.input]
    quantized = [producer is not None and producer.op_type == "DequantizeLinear" for producer in producers]
    if not any(quantized):
        return
    if node.op_type not in _OUTPUT_AXIS:
        yield f"{node.output[0]}: {node.op_type} must stay float"
    elif not all(quantized[:2]):
        yield f"{node.output[0]}: only one input of {node.op_type} is quantized"
    if any(quantized[2:]):
        yield f"{node.output[0]}: the bias is quantized"
