"""The header of a GGUF file: its metadata and where its tensors lie, each length checked against the file.

Layout, little-endian (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): the magic, u32 version, u64 tensors,
u64 metadata entries; an entry is a text, u32 type and the value; a tensor is a text, u32 rank, u64 per dimension
(innermost first), u32 datatype and u64 offset from the start of the data, which is aligned.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters.errors import SourceInvalid
from converters.sources.bounded import Bounded, mapped

Scalar = str | int | float | bool
Value = Scalar | tuple[Scalar, ...]

MAGIC = b"GGUF"

BLOCKS = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    20: ("IQ4_NL", 32, 18),
    23: ("IQ4_XS", 256, 136),
    30: ("BF16", 1, 2),
}
"""The datatypes of weights by their number in the file: name, elements of a block and its bytes."""

_VERSIONS = (2, 3)
_MOST_ENTRIES = 10_000  # models in use have 30
_MOST_TENSORS = 100_000
_MOST_IN_ARRAY = 4_000_000  # the largest vocabularies have 260,000 tokens and as many merges
_MOST_TEXT = 4 * 1024**2  # chat templates have 20 KB
_MOST_DIMENSIONS = 4  # of ggml
_ALIGNMENT = 32
_TEXT, _ARRAY = 8, 9
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


@dataclass(frozen=True)
class Tensor:
    """One tensor: `shape` outermost first, `datatype` a name of BLOCKS, its bytes at `begin` to `end` of the file."""

    name: str
    shape: tuple[int, ...]
    kind: int
    begin: int
    end: int

    @property
    def datatype(self) -> str:
        """The name of its datatype."""
        return BLOCKS[self.kind][0]

    @property
    def elements(self) -> int:
        """How many weights it has."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Header:
    """The metadata by key, and the tensors by name."""

    metadata: Mapping[str, Value]
    tensors: Mapping[str, Tensor]


def read_header(path: Path) -> Header:
    """The header of the file. Raises SourceInvalid where it and the file do not fit together."""
    data = mapped(path)
    reader = Bounded(data, _invalid)
    if bytes(reader.take(4)) != MAGIC or reader.number("I") not in _VERSIONS:
        raise _invalid("it does not begin as GGUF of version 2 or 3 in little-endian order")
    tensors = reader.count("Q", _MOST_TENSORS, "tensors")
    metadata: dict[str, Value] = {}
    for _ in range(reader.count("Q", _MOST_ENTRIES, "metadata entries")):
        key = _text(reader)
        if key in metadata:
            raise _invalid("two of its metadata entries have one key")
        metadata[key] = _value(reader)
    placed = [_tensor(reader) for _ in range(tensors)]
    begin = _aligned(reader.position, metadata)
    found = [Tensor(t.name, t.shape, t.kind, t.begin + begin, t.end + begin) for t in placed]
    _check_layout(found, begin, len(data), _alignment(metadata))
    return Header(metadata, {tensor.name: tensor for tensor in found})


def read_tensor(path: Path, tensor: Tensor) -> NDArray[np.uint8]:
    """The blocks of a tensor, [outer dimensions…, bytes of a row], mapped read-only: what gguf.dequantize takes."""
    _, elements, size = BLOCKS[tensor.kind]
    row = tensor.shape[-1] // elements * size
    return np.frombuffer(mapped(path)[tensor.begin : tensor.end], np.uint8).reshape(*tensor.shape[:-1], row)


def _text(reader: Bounded) -> str:
    return bytes(reader.take(reader.count("Q", _MOST_TEXT, "bytes of a text"))).decode(errors="replace")


def _value(reader: Bounded) -> Value:
    kind = reader.number("I")
    if kind != _ARRAY:
        return _scalar(reader, kind)
    inner, count = reader.number("I"), reader.count("Q", _MOST_IN_ARRAY, "values of an array")
    if inner in _NUMBERS:
        values: tuple[Scalar, ...] = struct.unpack(
            f"<{count}{_NUMBERS[inner]}", reader.take(count * struct.calcsize(f"<{_NUMBERS[inner]}"))
        )
        return values
    if count * 8 > reader.left:  # before a list of that length is begun: each text has a length of 8 bytes
        raise _invalid("an array has more texts than there are bytes")
    return tuple(_scalar(reader, inner) for _ in range(count))


def _scalar(reader: Bounded, kind: int) -> Scalar:
    if kind == _TEXT:
        return _text(reader)
    if kind not in _NUMBERS:
        raise _invalid("a metadata entry has an unknown type, or an array in an array")
    code = f"<{_NUMBERS[kind]}"
    number: int | float | bool = struct.unpack(code, reader.take(struct.calcsize(code)))[0]
    return number


def _tensor(reader: Bounded) -> Tensor:
    name = _text(reader)
    shape = [reader.number("Q") for _ in range(reader.count("I", _MOST_DIMENSIONS, "dimensions of a tensor"))]
    kind, begin = reader.number("I"), reader.number("Q")
    if kind not in BLOCKS:
        raise _invalid(f"a tensor is of the datatype {kind}, which Conch does not read")
    _, elements, size = BLOCKS[kind]
    if not shape or 0 in shape or shape[0] % elements:
        raise _invalid("a tensor's shape does not fit its datatype")
    return Tensor(name, tuple(reversed(shape)), kind, begin, begin + math.prod(shape) // elements * size)


def _alignment(metadata: Mapping[str, Value]) -> int:
    alignment = metadata.get("general.alignment", _ALIGNMENT)
    if not isinstance(alignment, int) or isinstance(alignment, bool) or not 8 <= alignment <= 2**20 or alignment % 8:
        raise _invalid("its alignment is no multiple of 8")
    return alignment


def _aligned(position: int, metadata: Mapping[str, Value]) -> int:
    alignment = _alignment(metadata)
    return (position + alignment - 1) // alignment * alignment


def _check_layout(tensors: list[Tensor], begin: int, size: int, alignment: int) -> None:
    """Each tensor has a name and bytes of its own, within the file."""
    position = begin
    for tensor in sorted(tensors, key=lambda tensor: tensor.begin):
        if tensor.begin < position or (tensor.begin - begin) % alignment:
            raise _invalid("its tensors overlap or are not aligned")
        position = tensor.end
    if not tensors or position > size:
        raise _invalid(f"its tensors need {position} bytes and the file has {size}")
    if len({tensor.name for tensor in tensors}) < len(tensors):
        raise _invalid("two of its tensors have one name")


def _invalid(why: str) -> SourceInvalid:
    return SourceInvalid(
        f"The GGUF file cannot be used: {why}.",
        "Upload the whole file, not split, as llama.cpp's convert_hf_to_gguf.py or llama-quantize wrote it.",
    )
