"""Embedding around a plan: texts to padded token ids in front of it, token vectors to one vector behind it.

The same functions as in `registry.spec.embedder`, which runs them around a graph of its own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from registry.spec.embedding import normalize, pool
from registry.spec.runtime import EmbeddingRuntime
from registry.spec.task import USAGE_OUTPUT
from registry.spec.text import TextEncoder, Tokens, pad
from triton_repo.runtime.adapter import Tensors
from triton_repo.runtime.embedding import texts

MASK = "attention_mask"
"""What the back needs of the front: under it a text's token vectors are pooled."""


class EmbeddingFront:
    """`text` BYTES [rows, 1] to the graph's inputs INT64 [rows, length], the mask and `conch_usage` INT64 [rows, 2].

    The length is the least of `buckets` that holds the request's longest text: a plan has kernels for these alone.
    """

    def __init__(self, directory: Path, settings: EmbeddingRuntime, buckets: tuple[int, ...]) -> None:
        if not buckets or max(buckets) < settings.max_tokens:
            raise ValueError(f"texts have up to {settings.max_tokens} tokens, and the plan's lengths are {buckets}")
        self._encoder = TextEncoder(directory / "tokenizer.json", settings.max_tokens)
        self._inputs = settings.inputs
        self._buckets = sorted(buckets)

    def run(self, inputs: Tensors) -> Tensors:
        """One request. Raises InvalidRows for a text that is not UTF-8."""
        tokens = self._encoder.encode(texts(inputs))
        ids, mask = self._padded(tokens)
        given = {"input_ids": ids, MASK: mask, "token_type_ids": np.zeros_like(ids)}
        usage = np.array([[len(t.ids), t.truncated] for t in tokens], dtype=np.int64)
        return {**{name: given[name] for name in {*self._inputs, MASK}}, USAGE_OUTPUT: usage}

    def _padded(self, tokens: list[Tokens]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        ids, mask = pad(tokens)
        missing = next(size for size in self._buckets if size >= ids.shape[1]) - ids.shape[1]
        return np.pad(ids, ((0, 0), (0, missing))), np.pad(mask, ((0, 0), (0, missing)))


class EmbeddingBack:
    """Token vectors FP32 [rows, length, dimensions] and the mask INT64 [rows, length] to `embedding` FP32."""

    def __init__(self, settings: EmbeddingRuntime) -> None:
        self._settings = settings

    def run(self, inputs: Tensors) -> Tensors:
        """One request."""
        vectors = pool(inputs[self._settings.output], inputs[MASK], self._settings.pooling)
        return {"embedding": normalize(vectors) if self._settings.normalize else vectors}
