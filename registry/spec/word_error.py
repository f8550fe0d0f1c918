"""Words wrong in a transcript: insertions, deletions and substitutions against what was said."""

from __future__ import annotations

import re
import unicodedata

_NOT_IN_WORDS = re.compile(r"[^\w']+")


def words(text: str) -> list[str]:
    """The words of `text` without case, accents of form and punctuation, none of which is spoken."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return [word.strip("'_") for word in _NOT_IN_WORDS.split(folded) if word.strip("'_")]


def errors(said: list[str], heard: list[str]) -> int:
    """The fewest words to insert, delete and replace that make `said` of `heard` (Levenshtein, 1966)."""
    row = list(range(len(heard) + 1))
    for position, word in enumerate(said, 1):
        above, row[0] = row[0], position
        for column, other in enumerate(heard, 1):
            above, row[column] = row[column], min(above + (word != other), row[column] + 1, row[column - 1] + 1)
    return row[-1]
