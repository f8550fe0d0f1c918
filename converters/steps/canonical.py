"""The canonical INT8 file: symmetric S8 Q/DQ before products and convolutions, legal for TensorRT 10 and 11.

Activations have one scale per tensor, weights one per output channel, zero points are constant zeros, biases stay
float. The calibrated ranges are kept in the metadata, so that a lowering may use a zero point.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from converters.steps.graph import Graph, copy_of
from converters.steps.kernels import Kernel
from converters.steps.products import OUTPUT_AXIS, groups, weights

RANGES = "conch.ranges"
"""Metadata key: JSON of the quantized value's name to the [least, greatest] value that its levels cover."""

S8_MAX = 127


@dataclass(frozen=True)
class Weights:
    """Quantized weights: levels S8 of the weights' shape, and one scale FP32 per output channel.

    Weights that run in float may have more: [outputs, blocks], as `converters.steps.blocked` has them.
    `excess` [outputs] is what the layer then answers too much on average; a convolution's bias takes it away.
    """

    levels: NDArray[np.int8]
    scales: NDArray[np.float32]
    excess: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Scheme:
    """How one product is quantized: the range of its input, 0 included, and what its channels are multiplied by first.

    `smoothing` FP32 [K] is SmoothQuant's multiplier of the input's channels; the range is that of the multiplied input.
    `weights` are those of the smoothed product where they are not simply rounded to nearest.
    """

    low: float
    high: float
    smoothing: NDArray[np.float32] | None = None
    weights: Weights | None = None


def quantize(model: onnx.ModelProto, schemes: Mapping[str, Scheme], weight_max: int = S8_MAX) -> onnx.ModelProto:
    """Quantize the products of `model` (a graph from `prepare`) that `schemes` names by their ids.

    `weight_max` is the greatest weight level: 63 leaves a bit free for engines that add pairs in 16 bits.
    """
    copy = copy_of(model)
    writer = _Writer(Graph(copy), weight_max)
    nodes: list[onnx.NodeProto] = []
    for node in writer.graph.nodes:
        scheme = schemes.get(node.output[0]) if node.output else None
        nodes += [node] if scheme is None else writer.quantized(node, scheme)
    writer.graph.replace_nodes(nodes)
    helper.set_model_props(copy, {RANGES: json.dumps(writer.ranges, sort_keys=True)})
    copy.producer_name = "conch"
    return copy


def levels_and_scales(
    values: NDArray[np.float32], axis: int, greatest: int = S8_MAX
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Levels S8 of the shape of `values` in -greatest…greatest, and one scale per index of `axis`."""
    others = tuple(i for i in range(values.ndim) if i != axis)
    scales = (np.maximum(np.abs(values).max(axis=others), 1e-8) / greatest).astype(np.float32)
    broadcast = np.expand_dims(scales, others)
    return np.clip(np.rint(values / broadcast), -greatest, greatest).astype(np.int8), scales


def correct_bias(graph: Graph, node: onnx.NodeProto, weights: Weights | None) -> None:
    """Take the mean error out of the bias of a Conv (Nagel et al., arXiv 1906.04721, section 4.2); in place."""
    if weights is None or weights.excess is None or node.op_type != "Conv":
        return
    given = graph.constant(node.input[2]) if len(node.input) > 2 else np.zeros_like(weights.excess)
    if given is None:
        return
    corrected = graph.add_constant(f"{node.output[0]}_bias", (given - weights.excess).astype(np.float32))
    del node.input[2:]
    node.input.append(corrected)


class _Writer:
    """Writes Q/DQ around products; products that read the same value in the same way share its Q/DQ."""

    def __init__(self, graph: Graph, weight_max: int) -> None:
        self.graph = graph
        self.ranges: dict[str, list[float]] = {}
        self._weight_max = weight_max
        self._activations: dict[tuple[str, float, float], str] = {}

    def quantized(self, node: onnx.NodeProto, scheme: Scheme) -> list[onnx.NodeProto]:
        matrix = weights(self.graph, node)
        assert matrix is not None, "a scheme is for a product"
        nodes: list[onnx.NodeProto] = []
        source = node.input[0]
        if scheme.smoothing is not None:
            matrix = Kernel(node.op_type, matrix, groups(node)).divided(scheme.smoothing).values
            shape = (-1,) if node.op_type == "MatMul" else (1, -1, *(1,) * (matrix.ndim - 2))
            factor = self.graph.add_constant(f"{node.output[0]}_smoothing", scheme.smoothing.reshape(shape))
            smoothed = self.graph.name(f"{node.output[0]}_smoothed")
            nodes.append(helper.make_node("Mul", [source, factor], [smoothed]))
            source = smoothed
        activation = self._activation(source, scheme, nodes)
        rounded = scheme.weights if self._weight_max == S8_MAX else None  # they were rounded to that many levels
        dequantized = self._weights(node, matrix, rounded, nodes)
        changed = onnx.NodeProto()
        changed.CopyFrom(node)
        changed.input[0], changed.input[1] = activation, dequantized
        correct_bias(self.graph, changed, rounded)
        return [*nodes, changed]

    def _activation(self, source: str, scheme: Scheme, nodes: list[onnx.NodeProto]) -> str:
        key = (source, scheme.low, scheme.high)
        if key in self._activations:
            return self._activations[key]
        quantized, activation = self.graph.name(f"{source}_quantized"), self.graph.name(f"{source}_activation")
        scale = np.float32(max(-scheme.low, scheme.high, 1e-8) / S8_MAX)
        parameters = [
            self.graph.add_constant(f"{source}_scale", np.array(scale, dtype=np.float32)),
            self.graph.add_constant(f"{source}_zero", np.array(0, dtype=np.int8)),
        ]
        nodes.append(helper.make_node("QuantizeLinear", [source, *parameters], [quantized]))
        nodes.append(helper.make_node("DequantizeLinear", [quantized, *parameters], [activation]))
        self.ranges[quantized] = [scheme.low, scheme.high]
        self._activations[key] = activation
        return activation

    def _weights(
        self,
        node: onnx.NodeProto,
        matrix: NDArray[np.float32],
        rounded: Weights | None,
        nodes: list[onnx.NodeProto],
    ) -> str:
        name, axis = node.output[0], OUTPUT_AXIS[node.op_type]
        levels, scales = levels_and_scales(matrix, axis, self._weight_max)
        if rounded is not None:
            levels, scales = rounded.levels, rounded.scales
        dequantized = self.graph.name(f"{name}_weights")
        parts = [
            self.graph.add_constant(f"{name}_levels", levels),
            self.graph.add_constant(f"{name}_weight_scales", scales),
            self.graph.add_constant(f"{name}_weight_zeros", np.zeros(len(scales), dtype=np.int8)),
        ]
        nodes.append(helper.make_node("DequantizeLinear", parts, [dequantized], axis=axis))
        return dequantized
