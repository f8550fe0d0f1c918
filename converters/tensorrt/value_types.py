"""The element types of the values in a graph."""

from __future__ import annotations

import onnx
from onnx import TensorProto, shape_inference


def value_types(model: onnx.ModelProto) -> dict[str, int]:
    """`TensorProto.DataType` of every value of the main graph whose type ONNX can infer, by name.

    What an earlier inference left in the model counts only where nothing else is known. Raises ValueError for a graph
    that contradicts itself.
    """
    try:
        inferred = shape_inference.infer_shapes(model).graph
    except shape_inference.InferenceError as error:
        raise ValueError(f"the types of the graph cannot be inferred: {error}") from error
    types = {v.name: v.type.tensor_type.elem_type for v in (*inferred.value_info, *inferred.input, *inferred.output)}
    types = {name: kind for name, kind in types.items() if kind != TensorProto.UNDEFINED}
    return types | {tensor.name: tensor.data_type for tensor in inferred.initializer}
