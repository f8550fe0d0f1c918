"""Tensor: the parts of a request are the model's inputs, each with the same number of rows in front."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from hub.errors import Unprocessable
from hub.inference.messages import MAX_INPUTS, Part, TensorPart
from hub.inference.resolver import Target
from hub.inference.rows import Answer, Row, RowShapes, bytes_element, split, text_elements
from hub.inference.tasks.parameters import refuse_unknown
from registry.spec.signature import DataType, TensorSpec

_TYPECODES = {
    DataType.UINT8: "B",
    DataType.UINT16: "H",
    DataType.UINT32: "I",
    DataType.UINT64: "Q",
    DataType.INT8: "b",
    DataType.INT16: "h",
    DataType.INT32: "i",
    DataType.INT64: "q",
    DataType.FP32: "f",
    DataType.FP64: "d",
}
_CHECKED_TYPECODES = {DataType.FP16: "e", DataType.FP32: "f"}  # `array` makes an infinity of what is too large
_INTEGERS = frozenset({int})
_NUMBERS = frozenset({int, float})
_ELEMENTS: Mapping[DataType, frozenset[type]] = {
    DataType.BYTES: frozenset({str}),
    DataType.BOOL: frozenset({bool}),
    DataType.FP16: _NUMBERS,
    DataType.FP32: _NUMBERS,
    DataType.FP64: _NUMBERS,
}
"""What JSON must hold for a datatype; integers for all others."""


def encode(parts: Sequence[Part], parameters: Mapping[str, Any], target: Target) -> tuple[RowShapes, list[Row]]:
    """Rows of tensor parts. Raises `Unprocessable` where they are not the inputs of the model's signature."""
    refuse_unknown(parameters, ())
    given: dict[str, tuple[int, TensorPart]] = {}
    for position, part in enumerate(parts):
        if not isinstance(part, TensorPart):
            raise Unprocessable("This model takes tensor parts.", param=f"input[{position}]", reason="modality")
        if part.name in given:
            raise Unprocessable(f"The input {part.name!r} is given twice.", param=f"input[{position}]")
        given[part.name] = position, part
    expected = [spec.name for spec in target.signature.inputs]
    if set(expected) != set(given):
        raise Unprocessable(f"The inputs of this model are {expected}.", param="input", reason="inputs")
    columns, shapes, counts = [], [], set()
    for spec in target.signature.inputs:
        position, part = given[spec.name]
        _check(part, spec, f"input[{position}]")
        counts.add(part.shape[0])
        shapes.append(tuple(part.shape[1:]))
        columns.append(split(_pack(part, spec.datatype, f"input[{position}]"), spec, part.shape[0]))
    if len(counts) != 1:
        raise Unprocessable("All inputs must have the same number of rows.", param="input", reason="shape")
    return RowShapes(tuple(shapes)), list(zip(*columns, strict=True))


def decode(answer: Answer, _parameters: Mapping[str, Any], target: Target) -> list[TensorPart]:
    """One part for each output, all rows in it."""
    parts = []
    for position, spec in enumerate(target.signature.outputs):
        raw = b"".join([row[position] for row in answer.rows])
        shape = [len(answer.rows), *answer.shapes[position]]
        parts.append(TensorPart(spec.name, spec.datatype.value, shape, _unpack(raw, spec.datatype)))
    return parts


def _check(part: TensorPart, spec: TensorSpec, where: str) -> None:
    if part.datatype != spec.datatype:
        raise Unprocessable(
            f"{spec.name} is {spec.datatype.value}, not {part.datatype}.", param=f"{where}.datatype", reason="datatype"
        )
    rows, row = part.shape[0], part.shape[1:]
    fits = len(row) == len(spec.shape) and all(want in (-1, have) for want, have in zip(spec.shape, row, strict=True))
    if not fits or not 1 <= rows <= MAX_INPUTS:
        wanted = [f"1 to {MAX_INPUTS}", *("any" if size < 0 else str(size) for size in spec.shape)]
        raise Unprocessable(
            f"{spec.name} has the shape [{', '.join(wanted)}], not {part.shape}.",
            param=f"{where}.shape",
            reason="shape",
        )
    if len(part.data) != prod(part.shape):
        raise Unprocessable(
            f"{spec.name} has {len(part.data)} elements, its shape says {prod(part.shape)}.",
            param=f"{where}.data",
            reason="shape",
        )


def _pack(part: TensorPart, datatype: DataType, where: str) -> bytes:
    try:
        return _packed(part.data, datatype)
    except (TypeError, OverflowError, ValueError, struct.error) as error:
        raise Unprocessable(
            f"{part.name}: an element is not a {datatype.value}.", param=f"{where}.data", reason="datatype"
        ) from error


def _packed(data: list[Any], datatype: DataType) -> bytes:
    if not _ELEMENTS.get(datatype, _INTEGERS).issuperset(map(type, data)):  # true is not 1
        raise TypeError
    if datatype is DataType.BYTES:
        return b"".join([bytes_element(text.encode()) for text in data])
    if datatype is DataType.BOOL:
        return bytes(data)
    if code := _CHECKED_TYPECODES.get(datatype):
        return struct.pack(f"<{len(data)}{code}", *data)
    return array(_TYPECODES[datatype], data).tobytes()


def _unpack(raw: bytes, datatype: DataType) -> list[Any]:
    if datatype is DataType.BYTES:
        return text_elements(raw)
    if datatype is DataType.BOOL:
        return [byte != 0 for byte in raw]
    if datatype is DataType.FP16:
        return list(struct.unpack(f"<{len(raw) // 2}e", raw))
    return array(_TYPECODES[datatype], raw).tolist()
