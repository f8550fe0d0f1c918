"""Weights that run in float, stored small: the engine widens them itself when it opens the graph.

A Cast and a Mul, not a DequantizeLinear: both engines fold them into float weights, so that they cost nothing in a run.
A table is widened row by row as it is read, and stays small in memory, too.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from converters.steps import blocked
from converters.steps.canonical import Weights, correct_bias, levels_and_scales
from converters.steps.graph import STANDARD, Graph
from converters.steps.products import OUTPUT_AXIS

_LARGE_TABLE = 1024  # rows; below that a table is not worth a conversion of every row that is read
# Columns of a table that share a scale: half the squared error of a scale per row, for an eighth more bytes.
_GROUP = 32
_LARGE_WEIGHTS = 4096  # elements; below that the nodes more weigh as much as is saved
_RECURRENT_AXIS = 1  # LSTM and GRU: [directions, gates × hidden, inputs]


def compact(graph: Graph, rounded: Mapping[str, Weights], *, recurrent: bool) -> None:
    """Store the float tables and weights of `graph` as S8, in place; those of recurrent layers only if `recurrent`.

    Weights have a scale for each block of an output channel's inputs, or where no equal blocks divide them for each
    channel; those of `rounded`, by their operator's output, are as they are there. OpenVINO takes
    recurrent weights from constants only, and does not fold before it looks.
    """
    nodes: list[onnx.NodeProto] = []
    stored: dict[str, str] = {}
    tables: dict[str, tuple[str, str]] = {}
    for node in graph.nodes:
        if node.domain not in STANDARD:
            nodes.append(node)
        elif node.op_type == "Gather":
            nodes += _table(graph, node, tables)
        else:
            for position, axis in _weights(node, recurrent):
                widening = _levels(graph, node, position, axis, rounded.get(node.output[0]), stored)
                if widening:
                    correct_bias(graph, node, rounded.get(node.output[0]))
                nodes += widening
            nodes.append(node)
    graph.replace_nodes(nodes)


def _weights(node: onnx.NodeProto, recurrent: bool) -> list[tuple[int, int]]:
    """The inputs of a node that are weights, each with the axis of its output channels."""
    if node.op_type in OUTPUT_AXIS:
        return [(1, OUTPUT_AXIS[node.op_type])]
    if recurrent and node.op_type in ("LSTM", "GRU", "RNN"):
        return [(1, _RECURRENT_AXIS), (2, _RECURRENT_AXIS)]
    return []


def _levels(
    graph: Graph, node: onnx.NodeProto, position: int, axis: int, rounded: Weights | None, stored: dict[str, str]
) -> list[onnx.NodeProto]:
    name = node.input[position]
    value = _large(graph, name)
    if name in stored:
        node.input[position] = stored[name]
        return []
    if value is None:
        return []
    levels, scales = blocked.laid_out(rounded or blocked.nearest(value, axis), axis)
    wide, widened = graph.name(f"{name}_wide"), graph.name(f"{name}_widened")
    levels_name = graph.add_constant(f"{name}_levels", levels)
    scales_name = graph.add_constant(f"{name}_scales", scales)
    node.input[position] = stored[name] = widened
    cast = helper.make_node("Cast", [levels_name], [wide], to=onnx.TensorProto.FLOAT)
    if levels.shape == value.shape:
        return [cast, helper.make_node("Mul", [wide, scales_name], [widened])]
    scaled = graph.name(f"{name}_scaled")
    shape = graph.add_constant(f"{name}_shape", np.array(value.shape, dtype=np.int64))
    return [
        cast,
        helper.make_node("Mul", [wide, scales_name], [scaled]),
        helper.make_node("Reshape", [scaled, shape], [widened]),
    ]


def _large(graph: Graph, name: str) -> NDArray[np.float32] | None:
    """Constant weights that are worth it, and are numbers."""
    value = graph.constant(name)
    if value is None or value.dtype != np.float32 or value.ndim < 2 or value.size < _LARGE_WEIGHTS:
        return None
    return value if np.isfinite(value).all() else None


def _table(graph: Graph, node: onnx.NodeProto, tables: dict[str, tuple[str, str]]) -> list[onnx.NodeProto]:
    """A large embedding table with a scale for every 32 columns of a row; only what is read is widened.

    `tables` has the levels and the scales of those that were written before, by the table's name.
    """
    table = graph.constant(node.input[0])
    if table is None or table.dtype != np.float32 or table.ndim != 2 or len(table) < _LARGE_TABLE:
        return [node]
    if any(attribute.name == "axis" and attribute.i != 0 for attribute in node.attribute):
        return [node]
    if not np.isfinite(table).all():
        return [node]
    if node.input[0] not in tables:
        levels, scales = _grouped(table)
        tables[node.input[0]] = (
            graph.add_constant(f"{node.input[0]}_levels", levels),
            graph.add_constant(f"{node.input[0]}_scales", scales),
        )
    table_s8, table_scales = tables[node.input[0]]
    name = node.output[0]
    rows, wide, scale, widened = (graph.name(f"{name}_{part}") for part in ("rows", "wide", "scale", "widened"))
    return [
        helper.make_node("Gather", [table_s8, node.input[1]], [rows], axis=0),
        helper.make_node("Cast", [rows], [wide], to=onnx.TensorProto.FLOAT),
        helper.make_node("Gather", [table_scales, node.input[1]], [scale], axis=0),
        helper.make_node("Mul", [wide, scale], [widened]),
        *_joined(graph, widened, node.input[1], table.shape[1], name),
    ]


def _joined(graph: Graph, groups: str, indices: str, columns: int, name: str) -> list[onnx.NodeProto]:
    """The groups of a row side by side again, under `name`.

    Where the rank of the indices is known the shape is a constant: ONNX Runtime then knows the width, without which it
    does not fuse the sum before a LayerNorm.
    """
    rank = next((len(v.type.tensor_type.shape.dim) for v in graph.model.graph.input if v.name == indices), None)
    if rank is not None:
        fixed = graph.add_constant(f"{name}_shape", np.array([*(0,) * rank, columns], dtype=np.int64))
        return [helper.make_node("Reshape", [groups, fixed], [name])]
    width = graph.add_constant(f"{name}_width", np.array([columns], dtype=np.int64))
    kept, shape = graph.name(f"{name}_kept"), graph.name(f"{name}_shape")
    return [
        helper.make_node("Shape", [indices], [kept]),
        helper.make_node("Concat", [kept, width], [shape], axis=0),
        helper.make_node("Reshape", [groups, shape], [name]),
    ]


def _grouped(table: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Levels S8 [rows, groups, columns of one] and scales [rows, groups, 1], so that what is gathered broadcasts."""
    rows, columns = table.shape
    width = _GROUP if columns % _GROUP == 0 else columns
    levels, scales = levels_and_scales(table.reshape(-1, width), 0)
    groups = columns // width
    return levels.reshape(rows, groups, width), scales.reshape(rows, groups, 1)
