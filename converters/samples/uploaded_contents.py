"""An owner's files of any kind in a zip, for models that read the bytes of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from converters.samples.contents import EDGE
from converters.samples.uploaded import Kind, Uploaded, check, choose
from converters.samples.uploaded_archive import entries

MOST_FILES = 1024


def files(path: Path, seed: int = 0, edge: int = EDGE) -> Uploaded[bytes]:
    """The contents of the files in the zip, at most 1024, none twice.

    Of a long one the `edge` bytes at both ends, or 4096 where that is more. Raises SourceInvalid.
    """
    check(path, (".zip",), _KIND.what)
    with path.open("rb") as file:
        found = (entry.content for entry in entries(file, path.name, seed))
        return choose(path, _KIND, (_edges(content, max(edge, EDGE)) for content in found if content), seed)


def content_key(content: bytes) -> str:
    """SHA-256 of a content's beginning and end, as far as built-in contents have them, so that the two compare."""
    return hashlib.sha256(_edges(content, EDGE)).hexdigest()


def _edges(content: bytes, edge: int) -> bytes:
    return content if len(content) <= 2 * edge else content[:edge] + content[-edge:]


_KIND = Kind[bytes]("files", MOST_FILES, content_key, len)
