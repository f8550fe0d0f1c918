"""The scales of a canonical file in the form that serves TensorRT best, without a change of what they mean."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from converters.steps.graph import Graph


def make_scalar(model: onnx.ModelProto) -> None:
    """Take the dimension from the scales and zero points of activations, which have one element.

    TensorRT takes a scale of shape [1] for one along an axis: measured with TensorRT-RTX 1.7.1, a Conv whose input has
    such a scale is compiled in float, without a word, where the scalar gives INT8.
    """
    names = {name for node in model.graph.node if node.op_type == "QuantizeLinear" for name in node.input[1:]}
    for tensor in model.graph.initializer:
        if tensor.name in names and list(tensor.dims) == [1]:
            del tensor.dims[:]


def free_dead_channels(model: onnx.ModelProto) -> None:
    """Give output channels whose weights are all 0 the scale 1.

    Theirs is the least there is, 1e-8 / 127, which would be 0 in FP16, and one of them would keep a product in FP32.
    """
    graph = Graph(model)
    scales = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in graph.nodes:
        levels = graph.constant(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if levels is None or node.input[1] not in scales:
            continue
        values = numpy_helper.to_array(scales[node.input[1]])
        axis = next((helper.get_attribute_value(a) for a in node.attribute if a.name == "axis"), 1) % levels.ndim
        if values.shape != (levels.shape[axis],):
            continue
        dead = ~levels.any(axis=tuple(i for i in range(levels.ndim) if i != axis))
        freed = np.where(dead, np.float32(1), values).astype(values.dtype)
        scales[node.input[1]].CopyFrom(numpy_helper.from_array(freed, node.input[1]))
