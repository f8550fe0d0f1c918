"""The tensors inside an ONNX file: do they fit their data, does external data stay in the directory, is it finite."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from converters.errors import SourceInvalid
from converters.sources.finite import from_bfloat16, not_finite, what_is_wrong

_INT64_MAX = 2**63 - 1
_MOST_DIMENSIONS = 64
_HALF_BYTES = {TensorProto.INT4, TensorProto.UINT4, TensorProto.FLOAT4E2M1}
_QUARTER_BYTES = {TensorProto.INT2, TensorProto.UINT2}
_COMPLEX = {TensorProto.COMPLEX64, TensorProto.COMPLEX128}
_FLOATS: dict[int, np.dtype[Any]] = {
    TensorProto.FLOAT: np.dtype("<f4"),
    TensorProto.FLOAT16: np.dtype("<f2"),
    TensorProto.BFLOAT16: np.dtype("<u2"),
    TensorProto.DOUBLE: np.dtype("<f8"),
}


def check_tensor(tensor: TensorProto, source: Path, name: str, position: int) -> int:
    """The number of elements of `tensor`, of the file `name` in `source`. Raises SourceInvalid for what cannot be used.

    Its shape and its data have to fit, and floats have to be numbers.
    """
    elements = elements_of(tensor.dims, name)
    if tensor.data_type == TensorProto.STRING:
        return elements
    if tensor.data_type not in helper.get_all_tensor_dtypes():
        raise _invalid(name, "a tensor has an unknown datatype")
    width = _bytes(tensor, elements)
    if tensor.data_location == TensorProto.EXTERNAL:
        _check_external(tensor, source, width, name)
    elif (len(tensor.raw_data) != width) if tensor.HasField("raw_data") else not _fits(tensor, elements):
        raise _invalid(name, "a tensor's shape does not fit its data")
    if tensor.data_type in _FLOATS and (wrong := what_is_wrong(_values(tensor, source))):
        raise not_finite(name, wrong, position, tensor.dims)
    return elements


def elements_of(shape: Any, name: str) -> int:
    """How many elements a tensor of `shape` has. Raises SourceInvalid where that is no number of 64 bits."""
    if len(shape) > _MOST_DIMENSIONS:
        raise _invalid(name, f"a tensor has more than {_MOST_DIMENSIONS} dimensions")
    elements = 1
    for dimension in shape:
        elements *= dimension
        if dimension < 0 or elements > _INT64_MAX:
            raise _invalid(name, "a tensor's shape is negative or overflows")
    return elements


def external_bytes(tensor: TensorProto) -> int:
    """The bytes of external data that a checked tensor takes, 0 where it has none."""
    return _bytes(tensor, elements_of(tensor.dims, "")) if tensor.data_location == TensorProto.EXTERNAL else 0


def _bytes(tensor: TensorProto, elements: int) -> int:
    if tensor.data_type in _HALF_BYTES:
        return (elements + 1) // 2
    if tensor.data_type in _QUARTER_BYTES:
        return (elements + 3) // 4
    width: int = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return elements * width


def _fits(tensor: TensorProto, elements: int) -> bool:
    """Whether the typed field of the protobuf that is for the datatype has the values, packed as onnx.proto says."""
    field = getattr(tensor, helper.tensor_dtype_to_field(tensor.data_type))
    if tensor.data_type in _HALF_BYTES | _QUARTER_BYTES:
        return len(field) == _bytes(tensor, elements)
    return bool(len(field) == elements * (2 if tensor.data_type in _COMPLEX else 1))


def _values(tensor: TensorProto, source: Path) -> NDArray[Any]:
    """The values of a float tensor whose place has been checked; those outside the file are mapped, not read."""
    dtype = _FLOATS[tensor.data_type]
    if tensor.data_location == TensorProto.EXTERNAL:
        path, offset, length = _place(tensor, source)
        values: NDArray[Any] = np.memmap(path, np.uint8, "r", offset, (length,)).view(dtype) if length else np.empty(0)
    elif tensor.HasField("raw_data"):
        values = np.frombuffer(tensor.raw_data, dtype)
    else:
        return numpy_helper.to_array(tensor).astype(np.float64)
    return from_bfloat16(values) if tensor.data_type == TensorProto.BFLOAT16 else values


def _place(tensor: TensorProto, source: Path) -> tuple[Path, int, int]:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    length = entries.get("length", _bytes(tensor, elements_of(tensor.dims, "")))
    return source / entries["location"], int(entries.get("offset", 0)), int(length)


def _check_external(tensor: TensorProto, source: Path, width: int, name: str) -> None:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = PurePosixPath(entries.get("location", ""))
    if not location.parts or location.is_absolute() or ".." in location.parts or "\\" in str(location):
        raise _invalid(name, "its external data lies outside the upload")
    try:
        path, offset, length = _place(tensor, source)
    except ValueError as error:
        raise _invalid(name, "its external data has no valid position") from error
    if not path.is_file() or path.is_symlink():
        raise _invalid(name, "its external data is missing")
    if offset < 0 or length != width or offset + length > path.stat().st_size:
        raise _invalid(name, "a tensor's shape does not fit its external data")


def _invalid(name: str, why: str) -> SourceInvalid:
    return SourceInvalid(
        f"{name} cannot be used: {why}.",
        "Save it again with onnx.save, its external data in the same directory, and upload all of its files.",
    )
