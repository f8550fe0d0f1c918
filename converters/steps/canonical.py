"""The canonical INT8 file: symmetric S8 Q/DQ before every product with constant weights, legal for TensorRT 10 and 11.

Activations have one scale per tensor, weights one per output channel (axis 1 of [K, N]), zero points are constant
zeros, biases stay float. The calibrated ranges are kept in the metadata, so that a lowering may use a zero point.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from converters.steps.calibrate import Channels
from converters.steps.graph import Graph
from converters.steps.prepare import weight
from converters.steps.smooth import ALPHA, multiplier

RANGES = "conch.ranges"
"""Metadata key: JSON of the quantized value's name to the [least, greatest] value that calibration saw."""

_S8_MAX = 127.0


@dataclass(frozen=True)
class Canonical:
    """The canonical graph and how many products it quantizes."""

    model: onnx.ModelProto
    products: int


def quantize(model: onnx.ModelProto, observed: dict[str, Channels], alpha: float = ALPHA) -> Canonical:
    """Quantize every product of `model` (a graph from `prepare`) whose input was observed.

    A product whose weights or activations are not finite numbers stays float.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = Graph(copy)
    ranges: dict[str, list[float]] = {}
    nodes: list[onnx.NodeProto] = []
    for node in graph.nodes:
        matrix, channels = weight(graph, node), observed.get(node.input[0]) if node.input else None
        if matrix is None or channels is None or not (_finite(matrix) and _finite(channels.magnitude)):
            nodes.append(node)
            continue
        nodes += _quantized_product(graph, node, matrix, channels, alpha, ranges)
    graph.replace_nodes(nodes)
    helper.set_model_props(copy, {RANGES: json.dumps(ranges, sort_keys=True), "conch.smoothing": str(alpha)})
    copy.producer_name = "conch"
    return Canonical(copy, len(ranges))


def _quantized_product(
    graph: Graph,
    node: onnx.NodeProto,
    matrix: NDArray[np.float32],
    channels: Channels,
    alpha: float,
    ranges: dict[str, list[float]],
) -> list[onnx.NodeProto]:
    smoothing = multiplier(channels.magnitude, matrix, alpha)
    source = node.output[0]
    smoothed = graph.name(f"{source}_smoothed")
    factor = graph.add_constant(f"{source}_smoothing", smoothing)
    low = min(float((channels.low * smoothing).min()), 0.0)
    high = max(float((channels.high * smoothing).max()), 0.0)
    quantized = graph.name(f"{source}_quantized")
    ranges[quantized] = [low, high]
    scale = np.float32(max(-low, high, 1e-8) / _S8_MAX)
    activation_scale = graph.add_constant(f"{source}_scale", np.array(scale, dtype=np.float32))
    zero = graph.add_constant(f"{source}_zero", np.array(0, dtype=np.int8))
    activation = graph.name(f"{source}_activation")
    levels, scales = _quantize_columns(matrix / smoothing[:, None])
    weights = graph.name(f"{source}_weights")
    parts = [
        graph.add_constant(f"{source}_levels", levels),
        graph.add_constant(f"{source}_weight_scales", scales),
        graph.add_constant(f"{source}_weight_zeros", np.zeros(len(scales), dtype=np.int8)),
    ]
    return [
        helper.make_node("Mul", [node.input[0], factor], [smoothed]),
        helper.make_node("QuantizeLinear", [smoothed, activation_scale, zero], [quantized]),
        helper.make_node("DequantizeLinear", [quantized, activation_scale, zero], [activation]),
        helper.make_node("DequantizeLinear", parts, [weights], axis=1),
        helper.make_node("MatMul", [activation, weights], list(node.output)),
    ]


def _quantize_columns(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Levels S8 [K, N] in -127…127 and one scale per column [N]."""
    scales = (np.maximum(np.abs(matrix).max(axis=0), 1e-8) / _S8_MAX).astype(np.float32)
    levels = np.clip(np.rint(matrix / scales), -_S8_MAX, _S8_MAX).astype(np.int8)
    return levels, scales


def _finite(values: NDArray[np.float32]) -> bool:
    return bool(np.isfinite(values).all())
