"""Embedding: each text part is a row, each row's answer is one vector in the same place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hub.errors import Unprocessable
from hub.inference.messages import Part, TensorPart, TextPart
from hub.inference.resolver import Target
from hub.inference.rows import Answer, Row, RowShapes, bytes_element, floats
from hub.inference.tasks.parameters import refuse_unknown

_SHAPES = RowShapes(((1,),))


def encode(parts: Sequence[Part], parameters: Mapping[str, Any], _target: Target) -> tuple[RowShapes, list[Row]]:
    """Rows of text parts. Raises `Unprocessable` for another kind of part."""
    refuse_unknown(parameters, ())
    texts = []
    for position, part in enumerate(parts):
        if not isinstance(part, TextPart):
            raise Unprocessable("An embedding model takes text parts.", param=f"input[{position}]", reason="modality")
        texts.append(part.text)
    return encode_texts(texts)


def encode_texts(texts: Iterable[str]) -> tuple[RowShapes, list[Row]]:
    """Rows of texts."""
    return _SHAPES, [(bytes_element(text.encode()),) for text in texts]


def decode(answer: Answer, _parameters: Mapping[str, Any], target: Target) -> list[TensorPart]:
    """One tensor part a text."""
    name, shape = target.signature.outputs[0].name, list(answer.shapes[0])
    return [TensorPart(name, "FP32", shape, floats(row[0])) for row in answer.rows]
