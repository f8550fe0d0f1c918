"""Texts to vectors with one graph: tokenise, sort by length, pad, run, pool. Runs in Triton and in the converter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from registry.spec.embedding import TASK, normalize, pool
from registry.spec.runtime import EmbeddingRuntime
from registry.spec.session import Session, open_graph
from registry.spec.text import TextEncoder, Tokens, pad


class Embedder:
    """An embedding graph that is open, with the tokenizer in front and pooling behind."""

    def __init__(self, session: Session, encoder: TextEncoder, settings: EmbeddingRuntime) -> None:
        self.settings = settings
        self._encoder = encoder
        self._session = session

    @classmethod
    def open(cls, directory: Path, settings: EmbeddingRuntime, threads: int) -> Embedder:
        """The graph `model` and its `tokenizer.json` in one directory."""
        session = open_graph(directory, "model", threads, exact_x86=settings.exact_x86)
        return cls(session, TextEncoder(directory / "tokenizer.json", settings.max_tokens), settings)

    def embed(self, texts: list[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Embed `texts`: vectors FP32 [texts, dimensions] and usage INT64 [texts, units of the task], in order."""
        tokens = self._encoder.encode(texts)
        vectors = np.empty((len(texts), self.settings.dimensions), dtype=np.float32)
        for rows in self._batches(tokens):
            vectors[rows] = self._run([tokens[row] for row in rows])
        usage = np.array([[len(t.ids), t.truncated] for t in tokens], dtype=np.int64).reshape(-1, len(TASK.units))
        return vectors, usage

    def _batches(self, tokens: list[Tokens]) -> Iterator[list[int]]:
        """Rows of similar length together, at most `batch_tokens` padded tokens a run: padding is wasted work."""
        batch: list[int] = []
        for row in sorted(range(len(tokens)), key=lambda row: len(tokens[row].ids)):
            if batch and len(tokens[row].ids) * (len(batch) + 1) > self.settings.batch_tokens:
                yield batch
                batch = []
            batch.append(row)
        if batch:
            yield batch

    def _run(self, batch: list[Tokens]) -> NDArray[np.float32]:
        ids, mask = pad(batch)
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = self._session.run([self.settings.output], {name: feeds[name] for name in self.settings.inputs})[0]
        vectors = pool(hidden, mask, self.settings.pooling)
        return normalize(vectors) if self.settings.normalize else vectors
