"""The task `tensor`: any ONNX graph with a batch dimension, tensors in and tensors out, billed by the request row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.spec.task import Criterion, Modality, Task, Unit

TASK = Task(
    name="tensor",
    title="Tensors to tensors",
    input=Modality.TENSOR,
    output=Modality.TENSOR,
    units=(Unit("requests", billed=True, meaning="rows answered"),),
    criteria=(
        Criterion("cosine", "cosine between a row's outputs and the original's", 0.99),
        Criterion("relative_error", "length of the difference over that of the original's outputs", 0.1, False),
        Criterion("max_error", "greatest difference of an element", None, False),
    ),
)


@dataclass(frozen=True)
class Agreement:
    """How well a row's outputs stand in for the original's, one value a row."""

    cosine: NDArray[np.float64]
    relative_error: NDArray[np.float64]
    max_error: NDArray[np.float64]


def compare(reference: Sequence[NDArray[Any]], outputs: Sequence[NDArray[Any]]) -> Agreement:
    """Judge `outputs` against `reference`, rows first in both; all floating outputs of a row are one vector.

    An output of another shape, or one that is not a number, agrees with nothing. What is not floating must be equal.
    """
    one, other = _vectors(reference), _vectors(outputs)
    if one.shape != other.shape or not _equal_integers(reference, outputs):
        other = np.zeros_like(one)
    other = np.where(np.isfinite(other).all(axis=1, keepdims=True), other, 0.0)
    # In parts of the row's greatest value: squares of large numbers would be infinite.
    scale = np.maximum(np.abs(one).max(axis=1, initial=0.0), np.abs(other).max(axis=1, initial=0.0))
    scale = np.where(scale == 0, 1.0, scale)
    one, other = one / scale[:, None], other / scale[:, None]
    norms, others = np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1)
    difference = np.linalg.norm(other - one, axis=1)
    both_nothing = (norms == 0) & (others == 0)
    cosine = np.where(both_nothing, 1.0, (one * other).sum(axis=1) / np.maximum(norms * others, 1e-30))
    with np.errstate(over="ignore"):
        greatest = np.minimum(np.abs(other - one).max(axis=1, initial=0.0) * scale, np.finfo(np.float64).max)
    return Agreement(cosine, difference / np.maximum(norms, 1e-30), greatest)


def _vectors(tensors: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """FP64 [rows, all floating elements of a row]."""
    rows = len(tensors[0])
    floating = [tensor for tensor in tensors if tensor.dtype.kind == "f"]
    flat = [tensor.reshape(rows, -1).astype(np.float64) for tensor in floating]
    return np.concatenate(flat, axis=1) if flat else np.zeros((rows, 0))


def _equal_integers(reference: Sequence[NDArray[Any]], outputs: Sequence[NDArray[Any]]) -> bool:
    pairs = ((one, other) for one, other in zip(reference, outputs, strict=True) if one.dtype.kind != "f")
    return all(one.shape == other.shape and bool((one == other).all()) for one, other in pairs)
