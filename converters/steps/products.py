"""The operators that can be quantized: products and convolutions with constant FP32 weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from converters.steps.graph import STANDARD, Graph
from converters.steps.windows import Window

OUTPUT_AXIS = {"MatMul": 1, "Conv": 0, "ConvTranspose": 1}
"""The axis of the output channels in an operator's weights, which have one scale each. ConvTranspose with groups has
its output channels on axis 1 of each group, so that a scale there is shared by the groups."""

_CHANNEL_AXIS = {"MatMul": -1, "Conv": 1, "ConvTranspose": 1}


@dataclass(frozen=True)
class Product:
    """One operator: its id is the name of its output, `source` the value it reads, `weights` an initializer.

    `window` is what a Conv reads for one place of its output; None for the others, which read rows of channels.
    """

    id: str
    operator: str
    source: str
    weights: str
    shape: tuple[int, ...]
    window: Window | None = None
    groups: int = 1

    @property
    def channel_axis(self) -> int:
        """The axis of the channels in the value that is read."""
        return _CHANNEL_AXIS[self.operator]


def find(graph: Graph) -> list[Product]:
    """All operators of the main graph that can be quantized, in topological order."""
    return [
        Product(
            node.output[0],
            node.op_type,
            node.input[0],
            node.input[1],
            value.shape,
            _window(node, value.shape),
            groups(node),
        )
        for node in graph.nodes
        if (value := weights(graph, node)) is not None
    ]


def groups(node: onnx.NodeProto) -> int:
    """Into how many groups a convolution divides its channels; 1 for a MatMul."""
    return next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)


def _window(node: onnx.NodeProto, shape: tuple[int, ...]) -> Window | None:
    return Window.of(node, shape[2:]) if node.op_type == "Conv" else None


def weights(graph: Graph, node: onnx.NodeProto) -> NDArray[np.float32] | None:
    """The constant weights of a product or convolution that reads a computed value; None for any other node.

    Weights that are not finite numbers cannot be quantized, and an operator that has them counts as any other.
    """
    if node.op_type not in OUTPUT_AXIS or node.domain not in STANDARD or graph.is_constant(node.input[0]):
        return None
    value = graph.constant(node.input[1])
    if value is None or value.dtype != np.float32 or (node.op_type == "MatMul" and value.ndim != 2):
        return None
    return value if np.isfinite(value).all() else None


def matrix_product(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether a node is a MatMul with constant weights [K, N]."""
    return node.op_type == "MatMul" and weights(graph, node) is not None


def by_source(products: Iterable[Product]) -> dict[str, list[Product]]:
    """Products that read the same value, by that value: they share its quantization and go back to float together."""
    found: dict[str, list[Product]] = {}
    for product in products:
        found.setdefault(product.source, []).append(product)
    return found
