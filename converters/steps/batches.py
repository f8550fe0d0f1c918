"""Texts of like token count together, so that little or nothing of a batch is padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from registry.spec.text import Tokens, pad

_BATCH_TOKENS = 2048  # bounds the memory of a run


def by_length(tokens: Sequence[Tokens], slack: int) -> Iterator[list[int]]:
    """Rows of `tokens`, each once, in batches whose lengths differ by at most `slack` tokens (0: no padding)."""
    batch: list[int] = []
    for row in sorted(range(len(tokens)), key=lambda row: len(tokens[row].ids)):
        length = len(tokens[row].ids)
        full = (len(batch) + 1) * length > _BATCH_TOKENS
        if batch and (full or length > len(tokens[batch[0]].ids) + slack):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def feeds(tokens: list[Tokens], inputs: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """What a text encoder with `inputs` takes for `tokens`, INT64 [rows, tokens] each."""
    ids, mask = pad(tokens)
    known = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    return {name: known[name] for name in inputs}
