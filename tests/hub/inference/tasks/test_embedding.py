"""The task embedding: a row a text, a tensor a row."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import Unprocessable
from hub.inference.messages import TensorPart, TextPart
from hub.inference.resolver import Target
from hub.inference.rows import Answer, split
from hub.inference.tasks import embedding
from registry.spec.embedding import TASK
from registry.spec.signature import DataType, Signature, TensorSpec

_TEXT = TensorSpec("text", DataType.BYTES, (1,))
_TARGET = Target(
    "model",
    UUID(int=0),
    UUID(int=0),
    1,
    TASK,
    "v",
    Signature((_TEXT,), (TensorSpec("embedding", DataType.FP32, (3,)),)),
    8,
    {},
    (),
)


@settings(deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=10))
def test_each_text_is_a_row_in_its_place(texts: list[str]) -> None:
    shapes, rows = embedding.encode([TextPart(text) for text in texts], {}, _TARGET)
    assert shapes.shapes == ((1,),)
    joined = b"".join(row[0] for row in rows)
    assert [element[4:].decode() for element in split(joined, _TEXT, len(texts))] == texts


def test_each_row_is_answered_by_a_tensor_of_its_own() -> None:
    vectors = np.arange(6, dtype="<f4").reshape(2, 3)
    answer = Answer([(vector.tobytes(),) for vector in vectors], ((3,),), [[1, 0], [1, 0]], 0.0)
    parts = embedding.decode(answer, {}, _TARGET)
    assert [part.data for part in parts] == vectors.tolist()
    assert all(part.shape == [3] and part.datatype == "FP32" for part in parts)


def test_a_tensor_is_no_text() -> None:
    with pytest.raises(Unprocessable) as refused:
        embedding.encode([TextPart("a"), TensorPart("x", "INT8", [1], [1])], {}, _TARGET)
    assert refused.value.param == "input[1]"


def test_a_parameter_nobody_knows_is_refused() -> None:
    with pytest.raises(Unprocessable):
        embedding.encode([TextPart("a")], {"normalise": False}, _TARGET)
