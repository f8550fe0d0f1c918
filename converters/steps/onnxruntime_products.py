"""Quantized products as ONNX Runtime's own operator, with the bias that follows them.

From Q/DQ it makes the same operator, MatMulIntegerToFloat, but leaves the bias an Add of its own, and with it does not
find the residual sum before a LayerNorm. MiniLM has 24 such sums: written out, they are gone.
"""

from __future__ import annotations

import onnx
from onnx import helper

from converters.steps.graph import Graph
from converters.steps.prepare import bias_sum

_DOMAIN = "com.microsoft"


def fuse(model: onnx.ModelProto) -> onnx.ModelProto:
    """The lowered graph with MatMulIntegerToFloat for every MatMul of dequantized U8 by constant S8, in place."""
    graph = Graph(model)
    replaced: dict[str, list[onnx.NodeProto]] = {}
    dropped: set[str] = set()
    for node in graph.nodes:
        if node.op_type != "MatMul" or not _quantized(graph, node):
            continue
        found = bias_sum(graph, node.output[0], _width(graph, node))
        add = None if found is None else found[0]
        last = node if add is None else add
        replaced[last.output[0]] = [_product(graph, node, add)]
        dropped |= {node.output[0]} - {last.output[0]}
    if not replaced:
        return model
    nodes = [new for node in graph.nodes if not _is_in(node, dropped) for new in _new(node, replaced)]
    graph.replace_nodes(_alive(nodes, {value.name for value in model.graph.output}))
    if all(entry.domain != _DOMAIN for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    return model


def _quantized(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether a MatMul reads a dequantized activation and dequantized constants."""
    activation, weights = (graph.producer(name) for name in node.input)
    if activation is None or weights is None or {activation.op_type, weights.op_type} != {"DequantizeLinear"}:
        return False
    return graph.is_constant(weights.input[0]) and not graph.is_constant(activation.input[0])


def _width(graph: Graph, node: onnx.NodeProto) -> int:
    """The output channels of a quantized product."""
    weights = graph.producer(node.input[1])
    assert weights is not None, "the product was found by its weights"
    levels = graph.constant(weights.input[0])
    assert levels is not None, "the product was found by its constant weights"
    return int(levels.shape[1])


def _product(graph: Graph, node: onnx.NodeProto, add: onnx.NodeProto | None) -> onnx.NodeProto:
    activation, weights = (graph.producer(name) for name in node.input)
    assert activation is not None, "the product was found by its inputs"
    assert weights is not None, "the product was found by its inputs"
    (a, a_scale, a_zero), (b, b_scale, b_zero) = activation.input, weights.input
    inputs = [a, b, a_scale, b_scale, a_zero, b_zero]
    if add is not None:
        inputs.append(_other(add, node.output[0]))
    last = node if add is None else add
    return helper.make_node("MatMulIntegerToFloat", inputs, [last.output[0]], domain=_DOMAIN)


def _other(add: onnx.NodeProto, one: str) -> str:
    """The input of an Add beside `one`."""
    first, second = (str(name) for name in add.input)
    return second if first == one else first


def _is_in(node: onnx.NodeProto, names: set[str]) -> bool:
    return bool(node.output) and node.output[0] in names


def _new(node: onnx.NodeProto, replaced: dict[str, list[onnx.NodeProto]]) -> list[onnx.NodeProto]:
    return replaced.get(node.output[0], [node]) if node.output else [node]


def _alive(nodes: list[onnx.NodeProto], outputs: set[str]) -> list[onnx.NodeProto]:
    """Without the DequantizeLinear that nothing reads any more."""
    read = outputs | {name for node in nodes for name in node.input}
    return [node for node in nodes if node.op_type != "DequantizeLinear" or node.output[0] in read]
