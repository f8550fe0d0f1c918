"""The tensors inside an ONNX file: do they claim what is there, and does external data stay in the directory."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from onnx import TensorProto, helper

from converters.errors import SourceInvalid

_INT64_MAX = 2**63 - 1
_HALF_BYTES = {TensorProto.INT4, TensorProto.UINT4, TensorProto.FLOAT4E2M1}


def check_tensor(tensor: TensorProto, source: Path) -> int:
    """The number of elements of `tensor`. Raises SourceInvalid where its shape and its data do not fit."""
    elements = 1
    for dimension in tensor.dims:
        elements *= dimension
        if dimension < 0 or elements > _INT64_MAX:
            raise _invalid("a tensor's shape is negative or overflows")
    if tensor.data_type == TensorProto.STRING:
        return elements
    if tensor.data_type not in helper.get_all_tensor_dtypes():
        raise _invalid("a tensor has an unknown datatype")
    width = _bytes(tensor, elements)
    if tensor.data_location == TensorProto.EXTERNAL:
        _check_external(tensor, source, width)
    elif tensor.HasField("raw_data") and len(tensor.raw_data) != width:
        raise _invalid("a tensor's shape does not fit its data")
    return elements


def _bytes(tensor: TensorProto, elements: int) -> int:
    if tensor.data_type in _HALF_BYTES:
        return (elements + 1) // 2
    width: int = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return elements * width


def _check_external(tensor: TensorProto, source: Path, width: int) -> None:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = PurePosixPath(entries.get("location", ""))
    if not location.parts or location.is_absolute() or ".." in location.parts or "\\" in str(location):
        raise _invalid("its external data lies outside the upload")
    path = source / location
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", width))
    except ValueError as error:
        raise _invalid("its external data has no valid position") from error
    if not path.is_file() or path.is_symlink():
        raise _invalid("its external data is missing")
    if offset < 0 or length != width or offset + length > path.stat().st_size:
        raise _invalid("a tensor's shape does not fit its external data")


def _invalid(why: str) -> SourceInvalid:
    return SourceInvalid(
        f"model.onnx cannot be used: {why}.",
        "Save it again with onnx.save, its external data in the same directory, and upload all of its files.",
    )
