"""Values that an owner wrote down, as rows of one input of a signature."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.spec.signature import DataType, TensorSpec

_PYTHON: dict[str, set[type]] = {"f": {int, float}, "i": {int}, "u": {int}, "b": {bool}, "O": {str}}
_NUMPY = {"f": "fiu", "i": "iu", "u": "iu", "b": "b", "O": "US"}


def as_rows(value: object, spec: TensorSpec) -> NDArray[Any]:
    """`value`, an array or nested lists of one row or of several, as [rows, *shape] in the datatype of `spec`.

    Raises ValueError, with what is wrong as the end of a sentence that begins with the input, for other shapes and
    kinds, and for numbers that the datatype does not hold, NaN and infinity among them.
    """
    array = value if isinstance(value, np.ndarray) else _nested(value)
    _check_kind(array, spec)
    if array.ndim == len(spec.shape):
        array = array[np.newaxis]
    sizes = array.shape[1:]
    if array.ndim != len(spec.shape) + 1 or any(w not in (-1, s) for w, s in zip(spec.shape, sizes, strict=True)):
        raise ValueError(f"has the shape {list(array.shape)}")
    if not array.size:
        raise ValueError("is empty")
    return _converted(array, spec)


def written(spec: TensorSpec) -> str:
    """The input as a remedy names it: x FP32 [rows, 3, 224, any]."""
    shape = ", ".join(["rows", *("any" if size == -1 else str(size) for size in spec.shape)])
    return f"{spec.name} {spec.datatype} [{shape}]"


def _nested(value: object) -> NDArray[Any]:
    """As objects: of numbers and one long string NumPy would else make as many long strings."""
    try:
        return np.array(value, dtype=np.object_)
    except (ValueError, RecursionError) as error:
        raise ValueError("is nested unevenly") from error


def _check_kind(array: NDArray[Any], spec: TensorSpec) -> None:
    kind = spec.datatype.numpy.kind
    if array.dtype.kind != "O":
        if array.dtype.kind not in _NUMPY[kind]:
            raise ValueError(f"is {array.dtype}")
        return
    found = {type(element) for element in array.flat}
    if found & {list, dict, tuple, np.ndarray}:
        raise ValueError("is nested unevenly")
    if not found <= _PYTHON[kind]:
        raise ValueError(f"holds {', '.join(sorted(kind.__name__ for kind in found - _PYTHON[kind]))}")


def _converted(array: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    dtype = spec.datatype.numpy
    if spec.datatype is DataType.BYTES:
        return array.astype(np.str_).astype(np.object_) if array.dtype.kind == "S" else array.astype(np.object_)
    if dtype.kind in "iu":
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        if not low <= int(array.min()) <= int(array.max()) <= high:
            raise ValueError("holds a number that is out of its range")
        return array.astype(dtype)
    try:
        with np.errstate(over="ignore"):
            converted = array.astype(dtype)
    except OverflowError as error:  # of Python integers above 10**308
        raise ValueError("holds a number that is out of its range") from error
    if dtype.kind == "f" and not np.isfinite(converted).all():
        raise ValueError("holds NaN, infinity or a number that is out of its range")
    return converted
