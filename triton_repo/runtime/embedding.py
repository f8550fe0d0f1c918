"""Embedding inside Triton: BYTES in, vectors and token counts out, all requests of the batch in one pass."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from registry.spec.embedder import Embedder
from registry.spec.runtime import EmbeddingRuntime
from registry.spec.task import USAGE_OUTPUT
from triton_repo.runtime.adapter import InvalidRows, Tensors


class EmbeddingAdapter:
    """`text` BYTES [rows, 1] to `embedding` FP32 [rows, dimensions] and `conch_usage` INT64 [rows, 2]."""

    def __init__(self, directory: Path, settings: EmbeddingRuntime, threads: int) -> None:
        self._embedder = Embedder.open(directory, settings, threads)
        # The first run plans memory and starts threads: not in the first tenant's request, and a graph that
        # cannot run fails its load.
        self._embedder.embed(["warm-up"])

    def accept(self, inputs: Tensors) -> list[str]:
        """The request's texts."""
        return texts(inputs)

    def run(self, accepted: list[list[str]]) -> Tensors:
        """Embed the texts of all requests together, so that length sorting and padding see the whole batch."""
        vectors, usage = self._embedder.embed(list(chain.from_iterable(accepted)))
        return {"embedding": vectors, USAGE_OUTPUT: usage}


def texts(inputs: Tensors) -> list[str]:
    """A request's texts; UTF-8 is demanded, not repaired, because a repaired text is another text.

    Raises InvalidRows for one that is not UTF-8.
    """
    try:
        return [str(text, "utf-8") for text in inputs["text"].ravel()]
    except UnicodeDecodeError as error:
        raise InvalidRows(f"a text is not UTF-8: {error.reason} at byte {error.start}") from error
