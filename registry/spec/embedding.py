"""The task `embedding`: text in, one vector out, billed by the token.

Signature: input `text` BYTES [1], output `embedding` FP32 [dimensions], both behind one batch dimension. The functions
here are what surrounds the graph, in NumPy only, and how two sets of vectors are compared; the converter judges with
them and the runtime inside Triton serves with them, so that what was certified is what runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from registry.spec.signature import DataType, Signature, TensorSpec
from registry.spec.task import Criterion, Modality, Task, Unit

TASK = Task(
    name="embedding",
    title="Text embedding",
    input=Modality.TEXT,
    output=Modality.TENSOR,
    units=(
        Unit("input_tokens", billed=True, meaning="tokens the model read, special tokens included"),
        Unit("truncated_tokens", billed=False, meaning="tokens beyond the model's limit that were not read"),
    ),
    criteria=(
        Criterion("cosine", "cosine between a text's vector and the original's", 0.995),
        Criterion("nearest_kept", "share of texts whose nearest other text stayed the same", 0.90),
        Criterion("rank_correlation", "Spearman's, between a text's similarities to all others", 0.995),
    ),
)


def signature(dimensions: int) -> Signature:
    """The public signature of an embedding model whose vectors have `dimensions` elements."""
    return Signature(
        inputs=(TensorSpec("text", DataType.BYTES, (1,)),),
        outputs=(TensorSpec("embedding", DataType.FP32, (dimensions,)),),
    )


class Pooling(StrEnum):
    """How the token vectors of a text become one vector."""

    MEAN = "mean"
    CLS = "cls"
    MAX = "max"


def pool(hidden: NDArray[np.float32], mask: NDArray[np.int64], pooling: Pooling) -> NDArray[np.float32]:
    """Reduce token vectors [rows, tokens, dimensions] under `mask` [rows, tokens] to [rows, dimensions]."""
    if pooling is Pooling.CLS:
        return hidden[:, 0]
    weights = mask[:, :, None].astype(np.float32)
    if pooling is Pooling.MAX:
        pooled: NDArray[np.float32] = np.where(weights > 0, hidden, np.float32(-np.inf)).max(axis=1)
        return pooled
    total: NDArray[np.float32] = (hidden * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
    return total


def normalize(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each row of [rows, dimensions] to unit length; a zero vector stays zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
    return unit


@dataclass(frozen=True)
class Agreement:
    """How well candidate vectors stand in for reference vectors, one value per text where a text has one."""

    cosine: NDArray[np.float64]
    nearest_kept: NDArray[np.float64]
    rank_correlation: NDArray[np.float64]


def compare(reference: NDArray[np.float32], candidate: NDArray[np.float32]) -> Agreement:
    """Judge `candidate` [texts, dimensions] against `reference` of the same shape, as retrieval would notice.

    `cosine` is between the two vectors of a text; `nearest_kept` is 1 where the text's nearest other text stayed the
    same; `rank_correlation` is Spearman's between a text's similarities to all others before and after. At least three
    texts are needed.
    """
    if reference.shape != candidate.shape or len(reference) < 3:
        raise ValueError(
            f"two equal sets of at least 3 vectors are needed, not {reference.shape} and {candidate.shape}"
        )
    ref, cand = normalize(reference), normalize(candidate)
    cosine = np.einsum("ij,ij->i", ref, cand, dtype=np.float64)
    ref_others, cand_others = _similarities_to_others(ref), _similarities_to_others(cand)
    kept = (ref_others.argmax(axis=1) == cand_others.argmax(axis=1)).astype(np.float64)
    return Agreement(cosine, kept, _row_correlation(_ranks(ref_others), _ranks(cand_others)))


def _similarities_to_others(unit: NDArray[np.float32]) -> NDArray[np.float32]:
    count = len(unit)
    similarities = unit @ unit.T
    off_diagonal: NDArray[np.float32] = similarities[~np.eye(count, dtype=bool)].reshape(count, count - 1)
    return off_diagonal


def _ranks(values: NDArray[np.float32]) -> NDArray[np.float64]:
    return values.argsort(axis=1).argsort(axis=1).astype(np.float64)


def _row_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    a = a - a.mean(axis=1, keepdims=True)
    b = b - b.mean(axis=1, keepdims=True)
    correlation: NDArray[np.float64] = (a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return correlation
