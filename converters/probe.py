"""`probe.json`: a few rows of public inputs and what the certified graph answered, to check the served model with."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from registry.spec.signature import DataType, Signature, TensorSpec

Tensors = Mapping[str, NDArray[Any]]
"""By name, batch dimension in front; BYTES are `object` arrays of `bytes`, or of `str`."""


def write(path: Path, signature: Signature, inputs: Tensors, outputs: Tensors) -> None:
    """Write the rows `inputs`, and the `outputs` that a model of `signature` has to give for them."""
    content = {"inputs": _tensors(signature.inputs, inputs), "outputs": _tensors(signature.outputs, outputs)}
    path.write_text(json.dumps(content, sort_keys=True) + "\n", encoding="utf-8")


def _tensors(specs: Iterable[TensorSpec], values: Tensors) -> dict[str, Any]:
    return {
        spec.name: {
            "datatype": spec.datatype.value,
            "shape": list(values[spec.name].shape),
            "data": _elements(spec.datatype, values[spec.name].reshape(-1).tolist()),
        }
        for spec in specs
    }


def _elements(datatype: DataType, values: list[Any]) -> list[Any]:
    if datatype is not DataType.BYTES:
        return values
    encoded = (value.encode() if isinstance(value, str) else value for value in values)
    return [base64.b64encode(value).decode() for value in encoded]
