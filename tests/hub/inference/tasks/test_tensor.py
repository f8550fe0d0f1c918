"""The task tensor: JSON elements to Triton's bytes and back."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import Unprocessable
from hub.inference.messages import Part, TensorPart, TextPart
from hub.inference.resolver import Target
from hub.inference.rows import Answer
from hub.inference.tasks import tensor
from registry.spec.signature import DataType, Signature, TensorSpec
from registry.spec.tensor import TASK

_WIDTHS = {"FP16": 16, "FP32": 32, "FP64": 64}


def _elements(datatype: DataType) -> st.SearchStrategy[Any]:
    """What JSON may hold for a datatype."""
    if datatype is DataType.BYTES:
        return st.text(max_size=20)
    if datatype is DataType.BOOL:
        return st.booleans()
    if width := _WIDTHS.get(datatype):
        return st.floats(width=width, allow_nan=False, allow_infinity=False)  # type: ignore[arg-type]
    limits = np.iinfo(datatype.numpy)
    return st.integers(int(limits.min), int(limits.max))


def _target(*inputs: TensorSpec) -> Target:
    """A version that gives back what it is given."""
    nil = UUID(int=0)
    return Target("echo", nil, nil, 1, TASK, "v", Signature(inputs, inputs), 8, {}, ())


def _encode(parts: list[Part], *inputs: TensorSpec) -> None:
    tensor.encode(parts, {}, _target(*inputs))


@pytest.mark.parametrize("datatype", DataType)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_elements_come_back_as_they_were_given(datatype: DataType, data: st.DataObject) -> None:
    rows, width = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 3))
    elements = data.draw(st.lists(_elements(datatype), min_size=rows * width, max_size=rows * width))
    target = _target(TensorSpec("x", datatype, (-1,)))
    part = TensorPart("x", datatype.value, [rows, width], elements)
    shapes, encoded = tensor.encode([part], {}, target)
    assert len(encoded) == rows
    [back] = tensor.decode(Answer(encoded, shapes.shapes, [[1]] * rows, 0.0), {}, target)
    assert back == part


@pytest.mark.parametrize("datatype", [datatype for datatype in DataType if datatype is not DataType.BYTES])
def test_the_bytes_are_numpys_own(datatype: DataType) -> None:
    elements = [True, False, True, True] if datatype is DataType.BOOL else [1, 0, 2, 100]
    part = TensorPart("x", datatype.value, [2, 2], elements)
    _, rows = tensor.encode([part], {}, _target(TensorSpec("x", datatype, (2,))))
    assert b"".join(row[0] for row in rows) == np.array(elements, datatype.numpy).tobytes()


@pytest.mark.parametrize(
    ("datatype", "element"),
    [
        ("BOOL", 1),
        ("BOOL", "true"),
        ("UINT8", -1),
        ("UINT8", 256),
        ("INT64", 2**63),
        ("UINT64", 2**64),
        ("INT32", 1.5),
        ("INT32", "1"),
        ("INT32", True),
        ("INT32", None),
        ("FP16", 70000.0),
        ("FP32", 1e39),
        ("FP32", 10**400),
        ("FP32", "1.0"),
        ("FP32", True),
        ("FP64", 10**400),
        ("FP64", [1.0]),
        ("FP64", {}),
        ("BYTES", 7),
        ("BYTES", None),
        ("BYTES", "\ud800"),
    ],
)
def test_an_element_of_another_kind_is_refused(datatype: str, element: object) -> None:
    part = TensorPart("x", datatype, [1, 1], [element])
    with pytest.raises(Unprocessable) as refused:
        _encode([part], TensorSpec("x", DataType(datatype), (1,)))
    assert refused.value.param == "input[0].data"
    json.dumps(refused.value.message)


@pytest.mark.parametrize("shape", [[2], [1, 3], [1, 2, 1], [0, 2], [2049, 2], [2, 2]])
def test_a_shape_that_does_not_fit_is_refused(shape: list[int]) -> None:
    with pytest.raises(Unprocessable):
        _encode([TensorPart("x", "INT8", shape, [1, 2])], TensorSpec("x", DataType.INT8, (2,)))


_X, _Y = TensorSpec("x", DataType.INT8, (1,)), TensorSpec("y", DataType.INT8, (1,))


@pytest.mark.parametrize(
    "parts",
    [
        [TensorPart("x", "INT8", [1, 1], [1])],
        [TensorPart("x", "INT8", [1, 1], [1])] * 2,
        [TensorPart("x", "INT8", [1, 1], [1]), TensorPart("z", "INT8", [1, 1], [1])],
        [TensorPart("x", "INT8", [1, 1], [1]), TensorPart("y", "INT8", [2, 1], [1, 2])],
        [TensorPart("x", "INT8", [1, 1], [1]), TensorPart("y", "INT16", [1, 1], [1])],
        [TensorPart("x", "INT8", [1, 1], [1]), TextPart("y")],
    ],
    ids=["one missing", "one twice", "one unknown", "rows differ", "datatype", "text"],
)
def test_inputs_that_are_not_the_models_are_refused(parts: list[Part]) -> None:
    with pytest.raises(Unprocessable):
        _encode(parts, _X, _Y)


def test_a_parameter_nobody_knows_is_refused() -> None:
    with pytest.raises(Unprocessable) as refused:
        tensor.encode([TensorPart("x", "INT8", [1, 1], [1])], {"temperature": 1}, _target(_X))
    assert refused.value.param == "parameters.temperature"
