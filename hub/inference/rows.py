"""Rows: what travels between the public API and Triton, already in Triton's byte layout.

A row is one bytes object per tensor, so that rows of different requests can be joined into one batch and a batch can
be taken apart again, without looking inside.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from registry.spec.signature import DataType, TensorSpec

Row = tuple[bytes, ...]

_BYTES_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class RowShapes:
    """The shape of one row of each input. Only rows of equal shapes can share a batch."""

    shapes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Answer:
    """The rows a model answered, the shape of one row of each output, and what each row consumed.

    `usage` has one list of counts a row, in the order of the task's units; `seconds` is the time spent in Triton.
    """

    rows: Sequence[Row]
    shapes: tuple[tuple[int, ...], ...]
    usage: Sequence[Sequence[int]]
    seconds: float


def bytes_element(content: bytes) -> bytes:
    """One element of a BYTES tensor as Triton's binary layout has it: its length, little-endian, and its content."""
    return _BYTES_LENGTH.pack(len(content)) + content


def floats(raw: bytes, digits: int | None = None) -> list[float]:
    """FP32 bytes as numbers, rounded to `digits` decimals where given. Triton and this machine are little-endian."""
    numbers: list[float] = array("f", raw).tolist()
    return numbers if digits is None else [round(number, digits) for number in numbers]


def text_elements(raw: bytes) -> list[str]:
    """The elements of a BYTES tensor as texts; what is not UTF-8 in them is replaced."""
    texts, position = [], 0
    while position < len(raw):
        (length,) = _BYTES_LENGTH.unpack_from(raw, position)
        position += _BYTES_LENGTH.size
        texts.append(raw[position : position + length].decode("utf-8", "replace"))
        position += length
    return texts


def split(raw: bytes, spec: TensorSpec, rows: int) -> list[bytes]:
    """Cut a batch of `rows` rows of one tensor into rows. Raises ValueError where it cannot be cut evenly."""
    if spec.datatype is DataType.BYTES:
        return _split_bytes(raw, rows)
    size, rest = divmod(len(raw), rows)
    if rest:
        raise ValueError(f"{len(raw)} bytes of {spec.name} are not {rows} equal rows")
    return [raw[start : start + size] for start in range(0, len(raw), size)] if size else [b""] * rows


def _split_bytes(raw: bytes, rows: int) -> list[bytes]:
    ends, position = [0], 0
    while position < len(raw):
        position += _BYTES_LENGTH.size + _BYTES_LENGTH.unpack_from(raw, position)[0]
        ends.append(position)
    per_row, rest = divmod(len(ends) - 1, rows)
    if rest or position != len(raw):
        raise ValueError(f"{len(ends) - 1} elements are not {rows} equal rows")
    return [raw[ends[row * per_row] : ends[(row + 1) * per_row]] for row in range(rows)]
