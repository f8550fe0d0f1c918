"""The lowering of the canonical file for x86: U8 activations with a zero point, S8 weights, small storage.

S8S8 is legal but slow in ONNX Runtime: a product of K=384, N=1536 and 16 rows takes 1.54 ms kept S8S8 and 0.135 ms as
U8S8. OpenVINO takes the same form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import onnx

from converters.steps.canonical import RANGES, Weights
from converters.steps.compact import compact
from converters.steps.graph import Graph, copy_of

_U8_MAX = 255.0


def lower(
    canonical: onnx.ModelProto, rounded: Mapping[str, Weights] | None = None, *, recurrent: bool = True
) -> onnx.ModelProto:
    """The graph that x86 runs fast, of the canonical one. The same input gives the same bytes.

    `rounded` and `recurrent` are for the weights of what runs in float, as `compact` has them.
    """
    copy = copy_of(canonical)
    graph = Graph(copy)
    ranges = json.loads(next(entry.value for entry in canonical.metadata_props if entry.key == RANGES))
    parameters: dict[str, tuple[str, str]] = {}
    nodes = graph.nodes
    for node in nodes:
        if node.op_type == "QuantizeLinear" and node.output[0] in ranges:  # others are the source's own
            low, high = ranges[node.output[0]]
            parameters[node.output[0]] = _asymmetric(graph, node.output[0], low, high)
            node.input[1], node.input[2] = parameters[node.output[0]]
        elif node.op_type == "DequantizeLinear" and node.input[0] in parameters:
            node.input[1], node.input[2] = parameters[node.input[0]]
    graph.replace_nodes(nodes)
    compact(graph, rounded or {}, recurrent=recurrent)
    return copy


def _asymmetric(graph: Graph, name: str, low: float, high: float) -> tuple[str, str]:
    """Names of the scale and the U8 zero point that cover [low, high], which contains 0."""
    scale = np.float32(max(high - low, 1e-8) / _U8_MAX)
    zero = np.uint8(np.clip(np.rint(-low / scale), 0, _U8_MAX))
    return (
        graph.add_constant(f"{name}_u8_scale", np.array(scale, dtype=np.float32)),
        graph.add_constant(f"{name}_u8_zero", np.array(zero, dtype=np.uint8)),
    )
