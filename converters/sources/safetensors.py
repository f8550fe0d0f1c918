"""The header of a safetensors file, checked before any other code maps the file.

Format: 8 bytes little-endian length, that many bytes of JSON, then the data. Each tensor names its dtype, shape and
[begin, end) in the data (https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters.errors import SourceInvalid
from converters.sources.bounded import mapped
from converters.sources.files import parse_object, whole
from converters.sources.finite import from_bfloat16, not_finite, what_is_wrong

_HEADER_BYTES = 100_000_000  # the limit of the reference implementation
_MOST_TENSORS = 100_000  # the largest mixtures of experts have 50,000 over all of their files
_INT64_MAX = 2**63 - 1
_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64"), 8),
}


_FLOATS: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
}


@dataclass(frozen=True)
class Tensor:
    """One tensor as the header describes it; `begin` and `end` count from the start of the data."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def elements(self) -> int:
        """How many weights it has."""
        return math.prod(self.shape)


def read_tensors(paths: Sequence[Path]) -> list[Tensor]:
    """The tensors of a model's files. Raises SourceInvalid as read_header(), and where weights are no numbers."""
    tensors: dict[str, Tensor] = {}
    for path in paths:
        header = read_header(path)
        _check_finite(path, header)
        if not tensors.keys().isdisjoint(tensor.name for tensor in header):
            raise _lies(path, "it has a tensor that another file has, too")
        tensors |= {tensor.name: tensor for tensor in header}
    return list(tensors.values())


def _check_finite(path: Path, tensors: list[Tensor]) -> None:
    data = mapped(path)
    begin = 8 + int.from_bytes(data[:8], "little")
    for position, tensor in enumerate(tensors):
        if tensor.dtype not in _FLOATS or not tensor.elements:
            continue
        values = np.frombuffer(data[begin + tensor.begin : begin + tensor.end], _FLOATS[tensor.dtype])
        if wrong := what_is_wrong(from_bfloat16(values) if tensor.dtype == "BF16" else values):
            raise not_finite(path.name, wrong, position, tensor.shape)


def read_header(path: Path) -> list[Tensor]:
    """The tensors of one file. Raises SourceInvalid where header and file do not fit together to the byte."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= length <= min(size - 8, _HEADER_BYTES):
            raise _lies(path, f"its header claims {length} bytes and the file has {size}")
        text = file.read(length)
    if text.count(b'"data_offsets"') > _MOST_TENSORS:  # before a million objects are made of it
        raise _lies(path, f"it has more than {_MOST_TENSORS} tensors")
    header = parse_object(text, f"the header of {path.name}")
    tensors = [_tensor(path, name, entry) for name, entry in header.items() if name != "__metadata__"]
    _check_layout(path, sorted(tensors, key=lambda tensor: (tensor.begin, tensor.end)), size - 8 - length)
    return tensors


def _tensor(path: Path, name: str, entry: Any) -> Tensor:
    if not isinstance(entry, dict):
        raise _lies(path, "an entry of its header is not an object")
    width = _BYTES.get(str(entry.get("dtype")))
    shape, offsets = entry.get("shape"), entry.get("data_offsets")
    if width is None:
        raise _lies(path, "a tensor has an unknown dtype")
    if not isinstance(shape, list) or len(shape) > 64 or any(whole(d, 0, _INT64_MAX) is None for d in shape):
        raise _lies(path, "a tensor's shape is not a list of sizes")
    if not isinstance(offsets, list) or len(offsets) != 2 or any(whole(o, 0, _INT64_MAX) is None for o in offsets):
        raise _lies(path, "a tensor's offsets are not two positions")
    elements = 1
    for dimension in shape:
        elements *= dimension
        if elements * width > _INT64_MAX:
            raise _lies(path, "a tensor's shape overflows")
    if offsets[1] - offsets[0] != elements * width:
        raise _lies(path, "a tensor's shape does not fit its place in the data")
    return Tensor(name, str(entry["dtype"]), tuple(shape), offsets[0], offsets[1])


def _check_layout(path: Path, tensors: list[Tensor], data_bytes: int) -> None:
    """Every byte of the data belongs to exactly one tensor, as the format demands."""
    position = 0
    for tensor in tensors:
        if tensor.begin != position:
            raise _lies(path, "its tensors overlap or leave holes")
        position = tensor.end
    if position != data_bytes:
        raise _lies(path, f"its tensors fill {position} of {data_bytes} bytes of data")


def _lies(path: Path, why: str) -> SourceInvalid:
    return SourceInvalid(
        f"{path.name} is not a valid safetensors file: {why}.",
        "Save the model again with save_pretrained(safe_serialization=True) and upload the whole file.",
    )
