"""Classification: each document or text is a row, or each row of the tensors; its answer the likeliest labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hub.errors import Unprocessable
from hub.inference.messages import DocumentPart, Label, LabelsPart, Part, TextPart
from hub.inference.resolver import Target
from hub.inference.rows import Answer, Row, RowShapes, bytes_element, floats, text_elements
from hub.inference.tasks import parameters as task_parameters
from hub.inference.tasks import tensor
from registry.spec.classification import CONTENT

_SHAPES = RowShapes((CONTENT.shape,))
_DIGITS = 6  # of a probability that are answered: what FP32 is sure of


class ClassificationParameters(msgspec.Struct):
    """`top_k` is how many labels are answered, the likeliest first."""

    top_k: Annotated[int, Meta(ge=1, le=1000)] = 5


def encode(parts: Sequence[Part], parameters: Mapping[str, Any], target: Target) -> tuple[RowShapes, list[Row]]:
    """Rows of document and text parts, or of tensors where the model takes those. Raises `Unprocessable`."""
    task_parameters.read(parameters, ClassificationParameters)
    if target.signature.inputs != (CONTENT,):
        return tensor.encode(parts, {}, target)
    return _SHAPES, [(bytes_element(_content(part, position)),) for position, part in enumerate(parts)]


def decode(answer: Answer, parameters: Mapping[str, Any], _target: Target) -> list[LabelsPart]:
    """One part a row."""
    count = task_parameters.read(parameters, ClassificationParameters).top_k
    return [_labels(row, count) for row in answer.rows]


def _content(part: Part, position: int) -> bytes:
    if isinstance(part, DocumentPart):
        return part.data
    if isinstance(part, TextPart):
        return part.text.encode()
    raise Unprocessable(
        "This model takes document and text parts.",
        param=f"input[{position}]",
        reason="modality",
        remedy='Send {"type": "document", "data": …}, the file in base64, or {"type": "text", "text": …}.',
    )


def _labels(row: Row, count: int) -> LabelsPart:
    """The likeliest of one row; of two that are as likely the model's first comes first."""
    probabilities, names = floats(row[0], _DIGITS), text_elements(row[1])
    order = sorted(range(len(names)), key=lambda index: -probabilities[index])
    return LabelsPart([Label(names[index], probabilities[index]) for index in order[:count]])
