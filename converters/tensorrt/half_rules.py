"""What may run in FP16 and what stays FP32: operators that lose their meaning there, and constants that do not fit.

FP16 has 11 bits of mantissa, ends at 65504 and is exact to one part in 2048 only down to 2^-14 = 6.1e-5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from converters.steps.graph import STANDARD, Graph

GREATEST = 65504.0
LEAST_EXACT = 2.0**-14
SENTINEL = 1e30
"""From here on a constant says "never", such as FP32's least in an attention mask: ±65504 says the same in FP16."""

_HEADROOM = 2.0  # between what calibration saw and what FP16 holds: calibration has not seen everything

QUANTIZED = {"QuantizeLinear", "DequantizeLinear"}

CARRIERS = {
    *("Cast", "Compress", "Concat", "DepthToSpace", "Equal", "Expand", "Flatten", "Gather", "GatherElements"),
    *("GatherND", "Greater", "GreaterOrEqual", "Identity", "IsInf", "IsNaN", "Less", "LessOrEqual", "MaxPool", "Pad"),
    *("Relu", "Reshape", "Shape", "Size", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose"),
    "Unsqueeze",
}
"""Operators that compute nothing new: they take the type of what they are given, and cause no cast of their own."""

_HALF = {
    *("Abs", "Add", "AveragePool", "Clip", "Conv", "ConvTranspose", "Div", "Erf", "Gelu", "Gemm", "GlobalMaxPool"),
    *("HardSigmoid", "HardSwish", "LeakyRelu", "MatMul", "Max", "Min", "Mul", "Neg", "PRelu", "Resize", "Sigmoid"),
    *("Sub", "Tanh", "Where"),
}
"""All others stay FP32: sums over many elements (ReduceMean, LayerNormalization), exponentials (Softmax, Exp, Elu),
powers, recurrences, and whatever is not known here."""

_FACTORS = {"Mul", "Div", *QUANTIZED}
_FULL_INPUTS = {"Resize": (1, 2)}


def full_inputs(node: onnx.NodeProto) -> tuple[int, ...]:
    """The positions of a node's inputs that are FP32 whatever the others are."""
    return _FULL_INPUTS.get(node.op_type, ())


def kept(graph: Graph, types: Mapping[str, int], magnitudes: Mapping[str, float]) -> dict[str, str]:
    """Why a node stays FP32, by the name of its first output; a node that is not named may run in FP16.

    `magnitudes` has the greatest absolute value that calibration saw of a value, where it is known.
    """
    reasons = {}
    for node in graph.nodes:
        reason = next(_reasons(graph, node, types, magnitudes), None)
        if reason is not None and node.output:
            reasons[node.output[0]] = reason
    return _with_partners(graph, reasons)


def _reasons(
    graph: Graph, node: onnx.NodeProto, types: Mapping[str, int], magnitudes: Mapping[str, float]
) -> Iterator[str]:
    if node.domain not in STANDARD or node.op_type not in _HALF | CARRIERS | QUANTIZED:
        yield f"{node.op_type} runs in FP32"
    if node.op_type == "Cast" and types.get(node.output[0]) == TensorProto.FLOAT:
        yield "Cast to FP32 of what may be any number"
    for name in (*node.input, *node.output):
        if magnitudes.get(name, 0.0) > GREATEST / _HEADROOM:
            yield f"{name} reaches {magnitudes[name]:.3g}, and FP16 ends at 65504"
    for position, name in enumerate(node.input):
        value = graph.constant(name)
        if value is not None and value.dtype == np.float32 and position not in full_inputs(node):
            yield from _unfit(node, name, value)


def _unfit(node: onnx.NodeProto, name: str, value: NDArray[np.float32]) -> Iterator[str]:
    """Why a constant cannot be FP16: an element that is no sentinel is too great, or what matters is too small."""
    sizes = np.abs(value[np.isfinite(value)])
    sizes = sizes[(sizes > 0) & (sizes < SENTINEL)]
    if not sizes.size:
        return
    greatest = float(sizes.max()) * (128 if node.op_type in QUANTIZED else 1)  # a DQ multiplies by up to 128
    if greatest > GREATEST:
        yield f"{name} reaches {greatest:.3g}, and FP16 ends at 65504"
    # In a sum the greatest element decides; a factor has to be exact in each.
    decisive = float(sizes.min() if node.op_type in _FACTORS else sizes.max())
    if decisive < LEAST_EXACT:
        yield f"{name} is {decisive:.3g}, and FP16 is exact only from 6.1e-05 on"


def _with_partners(graph: Graph, reasons: dict[str, str]) -> dict[str, str]:
    """The reasons, spread over each Q, its DQs and the product that reads them: they share one type."""
    open_nodes = [node for node in graph.nodes if node.output and node.output[0] in reasons]
    while open_nodes:
        node = open_nodes.pop()
        for partner in _partners(graph, node):
            if partner.output[0] not in reasons:
                reasons[partner.output[0]] = reasons[node.output[0]]
                open_nodes.append(partner)
    return reasons


def _partners(graph: Graph, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    for name in node.input:
        source = graph.producer(name)
        if source is not None and "DequantizeLinear" in (source.op_type, node.op_type):
            yield source
    if node.op_type in QUANTIZED:
        yield from graph.consumers(node.output[0])
