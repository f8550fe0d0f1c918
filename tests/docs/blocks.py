"""The blocks of code on a page."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One block, and the language that it is said to be in."""

    language: str
    text: str


def blocks(page: str) -> list[Block]:
    """The fenced blocks of `page`, Markdown, in order."""
    return [Block(language, text) for language, text in _BLOCK.findall(page)]
