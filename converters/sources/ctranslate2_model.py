"""The weights file of CTranslate2, `model.bin`: read with every length checked against the file, and written.

Layout, little-endian, as ctranslate2/specs/model_spec.py writes it: u32 version, the specification's name, u32 its
revision, u32 the number of variables; each variable is its name, u8 rank, u32 per dimension, u8 datatype, u32 bytes and
the data; then u32 the number of aliases, each two names. A name is u16 length with its closing NUL, then UTF-8.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from converters.errors import SourceInvalid
from converters.sources.bounded import Bounded, mapped

DTYPES = ("float32", "int8", "int16", "int32", "float16", "bfloat16")
"""The datatypes by their number in the file. NumPy has no bfloat16: its arrays are the bits as uint16."""

_VERSIONS = range(4, 7)  # before 4 a variable had a width in place of a datatype; 6 is what 4.x writes
_MOST_DIMENSIONS = 8  # a convolution's weights have four
_MOST_BYTES = 2**32 - 1  # of one variable: its length is u32
_MOST_VARIABLES = 100_000  # whisper-large has 2,000; each costs 50 times its bytes in the file as objects


@dataclass(frozen=True)
class Variable:
    """One variable: `array` has its shape; its datatype is that of `dtype` (bfloat16: the bits as uint16)."""

    dtype: str
    array: NDArray[Any]


@dataclass(frozen=True)
class Weights:
    """What `model.bin` holds. `variables` are in the order of the file; `aliases` give a variable a second name."""

    version: int
    specification: str
    revision: int
    variables: Mapping[str, Variable]
    aliases: Mapping[str, str]


def storage(dtype: str) -> np.dtype[Any]:
    """The NumPy datatype that holds CTranslate2's `dtype`, little-endian."""
    return np.dtype("uint16" if dtype == "bfloat16" else dtype).newbyteorder("<")


def read_variables(path: Path) -> Weights:
    """The weights in `path`. Arrays are read-only views of the mapped file, not aligned: copy what is computed with.

    Raises SourceInvalid where a length, a name or a datatype does not fit the file to the byte.
    """
    return _read(Bounded(mapped(path), _invalid))


def write_variables(path: Path, weights: Weights) -> None:
    """Write `weights` to `path`: what read_variables() gave is written back to the same bytes.

    `path` may not be the file that arrays of `weights` are mapped from.
    """
    with path.open("wb") as file:
        file.write(struct.pack("<I", weights.version))
        _write_name(file, weights.specification)
        file.write(struct.pack("<II", weights.revision, len(weights.variables)))
        for name, variable in weights.variables.items():
            _write_name(file, name)
            _write_variable(file, variable)
        file.write(struct.pack("<I", len(weights.aliases)))
        for alias, name in weights.aliases.items():
            _write_name(file, alias)
            _write_name(file, name)


def _write_name(file: BinaryIO, name: str) -> None:
    encoded = name.encode() + b"\0"
    file.write(struct.pack("<H", len(encoded)) + encoded)


def _write_variable(file: BinaryIO, variable: Variable) -> None:
    array = variable.array
    if array.dtype != storage(variable.dtype) or array.nbytes > _MOST_BYTES:
        raise ValueError(f"{array.dtype} with {array.nbytes} bytes cannot be written as {variable.dtype}")
    file.write(struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape))
    file.write(struct.pack("<BI", DTYPES.index(variable.dtype), array.nbytes))
    file.write(array.tobytes())


def _read(reader: Bounded) -> Weights:
    version = reader.number("I")
    if version not in _VERSIONS:
        raise _invalid(f"its version is {version}, and Conch reads {_VERSIONS[0]} to {_VERSIONS[-1]}")
    specification, revision = _name(reader), reader.number("I")
    variables: dict[str, Variable] = {}
    for _ in range(reader.count("I", _MOST_VARIABLES, "variables")):
        name = _name(reader)
        if name in variables:
            raise _invalid("two of its variables have one name")
        variables[name] = _variable(reader)
    aliases: dict[str, str] = {}
    for _ in range(reader.count("I", _MOST_VARIABLES, "aliases")):
        alias, name = _name(reader), _name(reader)
        if alias in variables or alias in aliases or name not in variables:
            raise _invalid("an alias names no variable, or one that has data of its own")
        aliases[alias] = name
    if reader.left:
        raise _invalid(f"{reader.left} bytes follow its end")
    return Weights(version, specification, revision, variables, aliases)


def _variable(reader: Bounded) -> Variable:
    shape = [reader.number("I") for _ in range(reader.count("B", _MOST_DIMENSIONS, "dimensions of a variable"))]
    kind, size = reader.number("B"), reader.number("I")
    if kind >= len(DTYPES):
        raise _invalid("a variable has an unknown datatype")
    held = storage(DTYPES[kind])
    if 0 in shape or math.prod(shape) * held.itemsize != size:
        raise _invalid("a variable's shape does not fit its data")
    return Variable(DTYPES[kind], np.frombuffer(reader.take(size), held).reshape(shape))


def _name(reader: Bounded) -> str:
    encoded = bytes(reader.take(reader.number("H")))
    try:
        name = encoded[:-1].decode()
    except UnicodeDecodeError as error:
        raise _invalid("a name is not UTF-8") from error
    if not name or not name.isprintable() or not encoded.endswith(b"\0"):
        raise _invalid("a name is empty or does not end")
    return name


def _invalid(why: str) -> SourceInvalid:
    return SourceInvalid(
        f"model.bin is not a CTranslate2 model that can be used: {why}.",
        "Convert the model again with a ct2-*-converter of CTranslate2 3 or 4, and upload the whole model.bin.",
    )
