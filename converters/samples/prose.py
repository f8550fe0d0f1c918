"""Prose in English out of the docstrings of installed Python packages: read and parsed, never imported."""

from __future__ import annotations

import ast
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_SENTENCE = re.compile(r"[A-Z][A-Za-z0-9 ,;()'\"%/–-]*[.!?]")
_MARKUP = re.compile(r">>>|::|--|==")
_BLOCKS = (ast.stmt, ast.excepthandler, ast.match_case)
_FILES = 150  # of the standard library that is about 1,200 sentences, in a second


def paragraphs(package: Path, seed: int) -> Iterator[list[str]]:
    """Each paragraph of prose in the docstrings below `package`, as its sentences; `seed` says out of which files."""
    files = sorted(_sources(package))
    for path in sorted(random.Random(seed).sample(files, min(_FILES, len(files)))):  # noqa: S311  (no secret)
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):  # a package may carry templates and files for another Python
            continue
        for docstring in _docstrings(tree):
            for block in re.split(r"\n\s*\n", docstring):
                sentences = prose_sentences(block)
                if sentences:
                    yield sentences


def prose_sentences(block: str) -> list[str]:
    """The sentences of 4 to 60 words in one paragraph; none where it is code or a table."""
    if _MARKUP.search(block):
        return []
    text = re.sub(r"[`*]+", "", " ".join(block.split()))
    return [s for s in _SENTENCE_END.split(text) if _SENTENCE.fullmatch(s) and 4 <= len(s.split()) <= 60]


def _sources(package: Path) -> Iterator[Path]:
    """The Python files below a directory, where they may be prose."""
    for directory, below, names in os.walk(package):
        below[:] = [name for name in below if not _is_foreign(name)]
        yield from (Path(directory, name) for name in names if name.endswith(".py") and not _is_foreign(name))


def _is_foreign(name: str) -> bool:
    """Tests are not prose, and site-packages below a standard library are not the standard library."""
    return name in {"site-packages", "dist-packages"} or "test" in name


def _docstrings(tree: ast.Module) -> Iterator[str]:
    """By depth, as `ast.walk` would; expressions, most of a tree, hold none and are not looked into."""
    level: list[ast.AST] = [tree]
    while level:
        for node in level:
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                docstring = ast.get_docstring(node)
                if docstring:
                    yield docstring
        level = [child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, _BLOCKS)]
