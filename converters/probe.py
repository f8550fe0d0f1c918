"""`probe.json`: a few rows of public inputs and what the certified graph answered, to check the served model with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.spec.embedder import Embedder
from registry.spec.signature import DataType, TensorSpec

_TEXTS = (
    "The god of the sea calms the waves with a shell.",
    "A hub answers many callers at once.",
    "",
    "Numbers like 3.14 and names like Zürich are read, too.",
)


def write_embedding(path: Path, embedder: Embedder) -> None:
    """Texts, an empty one among them, and the vectors `embedder` gives."""
    vectors, _ = embedder.embed(list(_TEXTS))
    text = np.array([[entry] for entry in _TEXTS], dtype=np.object_)
    _write(path, {"text": (DataType.BYTES, text)}, {"embedding": (DataType.FP32, vectors)})


def write_tensors(
    path: Path,
    inputs: Mapping[str, tuple[TensorSpec, NDArray[Any]]],
    outputs: Mapping[str, tuple[TensorSpec, NDArray[Any]]],
) -> None:
    """Rows of a tensor model, batch dimension in front."""
    _write(
        path,
        {name: (spec.datatype, value) for name, (spec, value) in inputs.items()},
        {name: (spec.datatype, value) for name, (spec, value) in outputs.items()},
    )


def _write(
    path: Path,
    inputs: Mapping[str, tuple[DataType, NDArray[Any]]],
    outputs: Mapping[str, tuple[DataType, NDArray[Any]]],
) -> None:
    content = {"inputs": _tensors(inputs), "outputs": _tensors(outputs)}
    path.write_text(json.dumps(content, sort_keys=True) + "\n", encoding="utf-8")


def _tensors(tensors: Mapping[str, tuple[DataType, NDArray[Any]]]) -> dict[str, Any]:
    return {
        name: {"datatype": datatype.value, "shape": list(value.shape), "data": value.reshape(-1).tolist()}
        for name, (datatype, value) in tensors.items()
    }
