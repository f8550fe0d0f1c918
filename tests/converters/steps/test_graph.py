"""What the steps read of a graph."""

from __future__ import annotations

from onnx import TensorProto, helper

from converters.steps.graph import graph_inputs
from tests.converters.given import linear


def test_an_initializer_that_is_listed_as_an_input_is_none() -> None:
    model = linear()
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 3]))
    assert [value.name for value in graph_inputs(model)] == ["x"]
