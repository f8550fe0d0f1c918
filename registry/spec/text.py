"""Text to token ids, the same way for the converter that judges a model and for the runtime that serves it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_PORTION_CHARACTERS = 500_000  # at 130 bytes a character while it is tokenised, 65 MB


@dataclass(frozen=True)
class Tokens:
    """One text as the model reads it: its ids, and how many more there would have been beyond the limit."""

    ids: list[int]
    truncated: int


class TextEncoder:
    """A `tokenizer.json` with the model's own limit of tokens."""

    def __init__(self, path: Path, max_tokens: int) -> None:
        from tokenizers import Tokenizer

        self._tokenizer: Tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)

    def encode(self, texts: list[str]) -> list[Tokens]:
        """Tokenise `texts`, special tokens included; what is cut off is counted, never silent."""
        return [
            Tokens(enc.ids, sum(len(over.ids) - sum(over.special_tokens_mask) for over in enc.overflowing))
            for portion in _portions(texts)
            for enc in self._tokenizer.encode_batch_fast(portion)
        ]


def _portions(texts: list[str]) -> Iterator[list[str]]:
    """The texts in order, a few at a time, so that their length decides the time they take but not the memory."""
    portion: list[str] = []
    characters = 0
    for text in texts:
        if portion and characters + len(text) > _PORTION_CHARACTERS:
            yield portion
            portion, characters = [], 0
        portion.append(text)
        characters += len(text)
    if portion:
        yield portion


def pad(batch: list[Tokens]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Stack token ids into ids and mask, both INT64 [rows, longest], zero where there is no token.

    The mask hides the padding from the model, so the id that fills it does not matter.
    """
    longest = max(len(tokens.ids) for tokens in batch)
    ids = np.zeros((len(batch), longest), dtype=np.int64)
    mask = np.zeros((len(batch), longest), dtype=np.int64)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens.ids)] = tokens.ids
        mask[row, : len(tokens.ids)] = 1
    return ids, mask
