"""Texts of equal token count together: a batch without padding, so that no padding shows in a statistic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from registry.spec.text import Tokens, pad

_BATCH_TOKENS = 2048  # bounds the memory of a run


def equal_length(tokens: Sequence[Tokens]) -> Iterator[list[int]]:
    """Rows of `tokens`, each exactly once, in batches of one length, shortest first."""
    rows = sorted(range(len(tokens)), key=lambda row: len(tokens[row].ids))
    batch: list[int] = []
    for row in rows:
        length = len(tokens[row].ids)
        full = (len(batch) + 1) * length > _BATCH_TOKENS
        if batch and (full or length != len(tokens[batch[0]].ids)):
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
