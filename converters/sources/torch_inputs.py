"""`inputs.json` beside a TorchScript file: what its inputs are, because the file itself does not say.

    {"inputs": [{"name": "x", "datatype": "FP32", "shape": ["batch", 512]}], "outputs": ["y"]}

A size that is a text or -1 may change from call to call; two that have one text are one size. The program is traced
with 2 for each of them, and run with 4 to see which outputs follow; where it takes only others, `"sizes": {"samples":
16000}` says which to use.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from converters.errors import SourceInvalid
from converters.sources.files import read_object, whole

INPUTS = "inputs.json"

DATATYPES = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
}
"""The datatypes of inputs by the names of the Open Inference Protocol."""

_MOST = 64  # inputs of a model, and dimensions of an input
_MOST_ELEMENTS = 2**28  # of an example: 1 GB in FP32
_EXAMPLE_SIZE = 2  # of a dimension that changes: 1 would be broadcast


class Input(BaseModel):
    """One input. `shape` has a number for a fixed size and a name for one that changes."""

    model_config = ConfigDict(frozen=True)

    name: str
    datatype: str
    shape: tuple[int | str, ...]


class Inputs(BaseModel):
    """The inputs in the order of the program's parameters; names of its outputs where the file has them.

    `sizes` has a number for every size that changes.
    """

    model_config = ConfigDict(frozen=True)

    inputs: tuple[Input, ...]
    outputs: tuple[str, ...] | None
    sizes: Mapping[str, int]

    def examples(self, sizes: Mapping[str, int]) -> tuple[NDArray[Any], ...]:
        """Zeros for each input, with `sizes` for those that change."""
        shapes = [[size if isinstance(size, int) else sizes[size] for size in entry.shape] for entry in self.inputs]
        return tuple(
            np.zeros(shape, DATATYPES[entry.datatype]) for shape, entry in zip(shapes, self.inputs, strict=True)
        )


def read_inputs(path: Path) -> Inputs:
    """The inputs that `path` describes. Raises SourceInvalid where it is missing or describes none."""
    if not path.is_file():
        raise _invalid("is missing")
    content = read_object(path)
    entries, outputs = content.get("inputs"), content.get("outputs")
    if not isinstance(entries, list) or not 1 <= len(entries) <= _MOST:
        raise _invalid("has no list of inputs")
    if outputs is not None and not (isinstance(outputs, list) and 1 <= len(outputs) <= _MOST):
        raise _invalid("has outputs that are no list of names")
    inputs = tuple(_input(entry, position) for position, entry in enumerate(entries))
    names = [entry.name for entry in inputs] + [_name(output) for output in outputs or ()]
    if len(set(names)) < len(names):
        raise _invalid("gives one name twice")
    sizes = _sizes(
        content.get("sizes", {}), {size for entry in inputs for size in entry.shape if isinstance(size, str)}
    )
    if any(_elements(entry, sizes) > _MOST_ELEMENTS for entry in inputs):
        raise _invalid(f"has an input of more than {_MOST_ELEMENTS} elements")
    return Inputs(inputs=inputs, outputs=tuple(outputs) if outputs else None, sizes=sizes)


def _sizes(given: Any, changing: set[str]) -> dict[str, int]:
    if not isinstance(given, dict) or not set(given) <= changing:
        raise _invalid("has sizes that are no size of an input")
    if any(whole(size, 1, _MOST_ELEMENTS) is None for size in given.values()):
        raise _invalid("has a size that is no positive number")
    return {name: given.get(name, _EXAMPLE_SIZE) for name in sorted(changing)}


def _elements(entry: Input, sizes: Mapping[str, int]) -> int:
    """Of the larger example: a size that changes is doubled once."""
    return math.prod(size if isinstance(size, int) else 2 * sizes[size] for size in entry.shape)


def _input(entry: Any, position: int) -> Input:
    if not isinstance(entry, dict) or str(entry.get("datatype")) not in DATATYPES:
        raise _invalid(f"has an input without a datatype of {', '.join(DATATYPES)}")
    shape = entry.get("shape")
    if not isinstance(shape, list) or len(shape) > _MOST:
        raise _invalid("has an input without a shape")
    sizes = tuple(_size(size, f"size_{position}_{axis}") for axis, size in enumerate(shape))
    return Input(name=_name(entry.get("name")), datatype=entry["datatype"], shape=sizes)


def _size(size: Any, unnamed: str) -> int | str:
    if size == -1 and not isinstance(size, bool):
        return unnamed
    if isinstance(size, str):
        return _name(size)
    number = whole(size, 1, _MOST_ELEMENTS)
    if number is None:
        raise _invalid("has a size that is neither a positive number, -1 nor a name")
    return number


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.isidentifier() or len(value) > 100:
        raise _invalid("has a name that is no identifier")
    return value


def _invalid(why: str) -> SourceInvalid:
    return SourceInvalid(
        f"{INPUTS} {why}, and TorchScript does not say what its inputs are.",
        f"Put {INPUTS} beside the model: "
        '{"inputs": [{"name": "x", "datatype": "FP32", "shape": ["batch", 512]}]}; a size that changes has a name.',
    )
