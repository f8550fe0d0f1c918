"""Text from models and strangers, made fit to be shown: what could steer a terminal or mislead the eye is gone."""

from __future__ import annotations

import unicodedata

_LONGEST = 2000
"""Characters of one text that are shown. A reason has about 300; a name of a megabyte is an attack on the reader."""


def plain(value: str, longest: int = _LONGEST) -> str:
    """`value` on one line, at most `longest` characters, without control characters.

    White space of every kind becomes a space. Removed are controls (escape sequences), formats (text that runs
    backwards, invisible joiners), surrogates, private and unassigned characters: XML cannot carry some of them, and a
    terminal obeys others.
    """
    kept = [" " if character.isspace() else character for character in value[: 4 * longest] if _shown(character)]
    return shorten("".join(kept).strip(), longest)


def _shown(character: str) -> bool:
    return character.isspace() or not unicodedata.category(character).startswith("C")


def shorten(value: str, longest: int) -> str:
    """`value` with its middle left out where it is too long: names of layers differ at their ends."""
    if len(value) <= longest:
        return value
    head = (longest - 1) // 3
    return f"{value[:head]}…{value[len(value) - (longest - 1 - head) :]}"
