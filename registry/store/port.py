"""What the rest of Conch asks of an artefact store."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class ArtefactMissing(Exception):
    """The store has no file of that hash."""

    def __init__(self, sha256: str) -> None:
        super().__init__(f"no artefact {sha256}")
        self.sha256 = sha256


class NotAFile(Exception):
    """What was to be stored is a link, a directory, a pipe or a device, or may not be read."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path.name!r} is not a regular file that can be read")
        self.path = path


@dataclass(frozen=True)
class StoredArtefact:
    """A file that is safely in the store."""

    sha256: str
    bytes: int


class ArtefactStore(Protocol):
    """Files by content: putting the same content twice is one file, and what is there never changes."""

    async def put(self, chunks: AsyncIterable[bytes]) -> StoredArtefact:
        """Store a stream; a stream that breaks off leaves nothing behind."""
        ...

    async def put_file(self, path: Path) -> StoredArtefact:
        """Store a copy of a local file, which somebody else may have written. Raises `NotAFile` for anything else."""
        ...

    def read(self, sha256: str) -> AsyncIterator[bytes]:
        """The content, chunk by chunk. Raises `ArtefactMissing` with the first chunk."""
        ...

    async def fetch(self, sha256: str, target: Path) -> None:
        """Write the content to `target`, whose folder must exist. Raises `ArtefactMissing`."""
        ...
