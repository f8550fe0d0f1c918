"""The lowering of the canonical file for ONNX Runtime on x86: U8 activations with a zero point, S8 weights.

S8S8 is legal but slow there: a product of K=384, N=1536 and 16 rows takes 1.54 ms kept S8S8 and 0.135 ms as U8S8.
"""

from __future__ import annotations

import json

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from converters.steps.canonical import RANGES
from converters.steps.graph import Graph

_U8_MAX = 255.0
_LARGE_TABLE = 1024  # rows; below that a table is not worth a conversion of every row that is read


def lower(canonical: onnx.ModelProto) -> onnx.ModelProto:
    """The graph that ONNX Runtime runs fast, of the canonical one. The same input gives the same bytes."""
    copy = onnx.ModelProto()
    copy.CopyFrom(canonical)
    graph = Graph(copy)
    ranges = json.loads(next(entry.value for entry in canonical.metadata_props if entry.key == RANGES))
    parameters: dict[str, tuple[str, str]] = {}
    nodes: list[onnx.NodeProto] = []
    for node in graph.nodes:
        if node.op_type == "QuantizeLinear":
            low, high = ranges[node.output[0]]
            parameters[node.output[0]] = _asymmetric(graph, node.output[0], low, high)
            node.input[1], node.input[2] = parameters[node.output[0]]
        elif node.op_type == "DequantizeLinear" and node.input[0] in parameters:
            node.input[1], node.input[2] = parameters[node.input[0]]
        nodes += _compact_table(graph, node) if node.op_type == "Gather" else [node]
    graph.replace_nodes(nodes)
    return copy


def _asymmetric(graph: Graph, name: str, low: float, high: float) -> tuple[str, str]:
    """Names of the scale and the U8 zero point that cover [low, high], which contains 0."""
    scale = np.float32(max(high - low, 1e-8) / _U8_MAX)
    zero = np.uint8(np.clip(np.rint(-low / scale), 0, _U8_MAX))
    return (
        graph.add_constant(f"{name}_u8_scale", np.array(scale, dtype=np.float32)),
        graph.add_constant(f"{name}_u8_zero", np.array(zero, dtype=np.uint8)),
    )


def _compact_table(graph: Graph, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """A large embedding table as S8 with a scale per row: a quarter of the bytes, and only what is read converts."""
    table = graph.constant(node.input[0])
    if table is None or table.dtype != np.float32 or table.ndim != 2 or len(table) < _LARGE_TABLE:
        return [node]
    if any(attribute.name == "axis" and attribute.i != 0 for attribute in node.attribute):
        return [node]
    levels, scales = _quantize_rows(table.astype(np.float32, copy=False))
    name = node.output[0]
    table_s8 = graph.add_constant(f"{name}_levels", levels)
    row_scales = graph.add_constant(f"{name}_row_scales", scales)
    rows, wide, scale = (graph.name(f"{name}_{part}") for part in ("rows", "wide", "scale"))
    return [
        helper.make_node("Gather", [table_s8, node.input[1]], [rows], axis=0),
        helper.make_node("Cast", [rows], [wide], to=onnx.TensorProto.FLOAT),
        helper.make_node("Gather", [row_scales, node.input[1]], [scale], axis=0),
        helper.make_node("Mul", [wide, scale], [name]),
    ]


def _quantize_rows(table: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Levels S8 [rows, columns] and scales [rows, 1], so that a gathered row broadcasts against its scale."""
    scales = (np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-8) / 127.0).astype(np.float32)
    return np.clip(np.rint(table / scales), -127, 127).astype(np.int8), scales
