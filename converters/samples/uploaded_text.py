"""An owner's texts: a line each, `text` of a JSON object a line, or the column `text` of a Parquet file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from converters.samples.uploaded import Kind, Uploaded, check, choose, refuse
from converters.samples.uploaded_lines import lines, objects
from converters.samples.uploaded_parquet import strings

MOST_TEXTS = 1024  # 410 to calibrate with, 205 to select by, 409 to judge on
TEXT_CHARACTERS = 100_000  # the longest input that is served has 8192 tokens
_LINE_BYTES = 4 * TEXT_CHARACTERS + 4096


def texts(path: Path, seed: int = 0) -> Uploaded[str]:
    """The texts in the file, at most 1024 of them, none twice. Raises SourceInvalid."""
    check(path, (".txt", ".jsonl", ".parquet"), _KIND.what)
    read = {".txt": _plain, ".jsonl": _fields, ".parquet": _column}[path.suffix]
    found = (text.strip() for text in read(path))
    return choose(path, _KIND, _checked(path, found), seed)


def text_key(text: str) -> str:
    """What two texts have in common that differ in case and white space only: they count as one."""
    return hashlib.sha256(" ".join(text.casefold().split()).encode()).hexdigest()


_KIND = Kind[str]("texts", MOST_TEXTS, text_key, len)


def _plain(path: Path) -> Iterator[str]:
    return (line for _, line in lines(path, _LINE_BYTES))


def _fields(path: Path) -> Iterator[str]:
    for number, entry in objects(path, _LINE_BYTES):
        text = entry.get("text", entry.get("input"))
        if not isinstance(text, str):
            refuse(path, f"has no string `text` in line {number}", 'Write {"text": "…"} in every line.')
        yield text


def _column(path: Path) -> Iterator[str]:
    return strings(path, "text", TEXT_CHARACTERS)


def _checked(path: Path, found: Iterator[str]) -> Iterator[str]:
    for text in found:
        if len(text) > TEXT_CHARACTERS or "\0" in text or not _encodes(text):
            refuse(
                path,
                f"has a text of more than {TEXT_CHARACTERS:,} characters, or one that is not Unicode text",
                "Upload texts as your callers will send them, in UTF-8.",
            )
        if text:
            yield text


def _encodes(text: str) -> bool:
    """False for lone surrogates, which JSON can spell and no tokenizer takes."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
