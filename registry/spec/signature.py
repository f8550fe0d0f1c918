"""What a model takes and gives: tensors in the terms of the Open Inference Protocol."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import DTypeLike


class DataType(StrEnum):
    """Tensor datatypes, named as the Open Inference Protocol names them."""

    BOOL = "BOOL"
    UINT8 = "UINT8"
    UINT16 = "UINT16"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FP16 = "FP16"
    FP32 = "FP32"
    FP64 = "FP64"
    BYTES = "BYTES"

    @property
    def numpy(self) -> np.dtype[Any]:
        """The NumPy dtype; BYTES is `object`, because Triton's Python backend is 300 times slower with `S`."""
        return np.dtype(_NUMPY[self])


_NUMPY: dict[DataType, DTypeLike] = {
    DataType.BOOL: np.bool_,
    DataType.UINT8: np.uint8,
    DataType.UINT16: np.uint16,
    DataType.UINT32: np.uint32,
    DataType.UINT64: np.uint64,
    DataType.INT8: np.int8,
    DataType.INT16: np.int16,
    DataType.INT32: np.int32,
    DataType.INT64: np.int64,
    DataType.FP16: np.float16,
    DataType.FP32: np.float32,
    DataType.FP64: np.float64,
    DataType.BYTES: np.object_,
}


@dataclass(frozen=True)
class TensorSpec:
    """One tensor of a signature.

    `shape` is that of one row, without the batch dimension; -1 is a dimension that varies from request to request.
    """

    name: str
    datatype: DataType
    shape: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """As the Open Inference Protocol writes it in a model's metadata, batch dimension left out."""
        return {"name": self.name, "datatype": self.datatype.value, "shape": list(self.shape)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TensorSpec:
        """The inverse of `to_json`."""
        return cls(data["name"], DataType(data["datatype"]), tuple(data["shape"]))


@dataclass(frozen=True)
class Signature:
    """The public inputs and outputs of a version; every tensor has one batch dimension in front of its shape."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def to_json(self) -> dict[str, Any]:
        """A plain mapping that `from_json` reads again."""
        return {"inputs": [t.to_json() for t in self.inputs], "outputs": [t.to_json() for t in self.outputs]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Signature:
        """The inverse of `to_json`."""
        return cls(
            tuple(TensorSpec.from_json(t) for t in data["inputs"]),
            tuple(TensorSpec.from_json(t) for t in data["outputs"]),
        )
