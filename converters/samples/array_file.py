"""An .npy file that may be hostile, read without NumPy's own reader: there is no way from here to a pickle.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import ast
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.sources.files import whole

_MAGIC = b"\x93NUMPY"
_HEADER_BYTES = 10_000  # NumPy's own limit, of what `literal_eval` is given
_KINDS = "biufUS"
_DIMENSIONS = 32  # NumPy 1 has no more


def read_array(content: bytes) -> NDArray[Any]:
    """The array in `content`. Raises ValueError for objects (a pickle), for records, and where header and data differ.

    The shape is compared with the size of the file before there is room made for anything.
    """
    width = 2 if content[6:7] == b"\x01" else 4
    begin = len(_MAGIC) + 2 + width
    length = int.from_bytes(content[begin - width : begin], "little")
    if not content.startswith(_MAGIC) or content[6:8] not in {b"\1\0", b"\2\0", b"\3\0"} or length > _HEADER_BYTES:
        raise ValueError("not an .npy file")
    shape, order, dtype = _header(content[begin : begin + length])
    data = memoryview(content)[begin + length :]
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError("shape and data do not fit")
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def _header(text: bytes) -> tuple[tuple[int, ...], Any, np.dtype[Any]]:
    """Shape, order (C or F) and dtype."""
    try:
        header = ast.literal_eval(text.decode().strip())
        shape, fortran, descr = header["shape"], header["fortran_order"], header["descr"]
        dtype = np.dtype(descr) if isinstance(descr, str) else np.dtype(np.object_)
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError) as error:
        raise ValueError("no header of an .npy file") from error  # the parser says MemoryError to deep nesting
    if dtype.kind not in _KINDS or not dtype.itemsize:
        raise ValueError(f"dtype {dtype}")
    if not isinstance(shape, tuple) or len(shape) > _DIMENSIONS or any(whole(s, 0, 2**62) is None for s in shape):
        raise ValueError("no shape")
    return shape, "F" if fortran is True else "C", dtype
