"""An artefact store in a directory of this machine."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from typing import BinaryIO

from registry.store.port import ArtefactMissing, NotAFile, StoredArtefact

_CHUNK = 1 << 20


class LocalStore:
    """Content lies under `<root>/<first two digits>/<sha256>`, read-only; `incoming/` holds what is being written."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)

    async def put(self, chunks: AsyncIterable[bytes]) -> StoredArtefact:
        """Store a stream; a stream that breaks off leaves nothing behind."""
        descriptor, name = tempfile.mkstemp(dir=self._incoming)
        temporary = Path(name)
        try:
            digest, size = hashlib.sha256(), 0
            with open(descriptor, "wb") as file:
                async for chunk in chunks:
                    digest.update(chunk)
                    size += len(chunk)
                    await asyncio.to_thread(file.write, chunk)
                await asyncio.to_thread(_make_durable, file)
            await asyncio.to_thread(self._keep, temporary, digest.hexdigest())
        finally:
            temporary.unlink(missing_ok=True)
        return StoredArtefact(digest.hexdigest(), size)

    async def put_file(self, path: Path) -> StoredArtefact:
        """Store a copy of a local file, which somebody else may have written. Raises `NotAFile` for anything else."""
        with _opened(path) as file:
            return await self.put(_chunks(file))

    async def read(self, sha256: str) -> AsyncIterator[bytes]:
        """The content, chunk by chunk. Raises `ArtefactMissing` with the first chunk."""
        source = self._path(sha256)
        if not source.exists():
            raise ArtefactMissing(sha256)
        with source.open("rb") as file:
            async for chunk in _chunks(file):
                yield chunk

    async def fetch(self, sha256: str, target: Path) -> None:
        """Write the content to `target`, whose folder must exist. Raises `ArtefactMissing`."""
        source = self._path(sha256)
        if not source.exists():
            raise ArtefactMissing(sha256)
        await asyncio.to_thread(shutil.copyfile, source, target)

    def _path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256

    def _keep(self, temporary: Path, sha256: str) -> None:
        final = self._path(sha256)
        if final.exists():
            return
        final.parent.mkdir(exist_ok=True)
        temporary.chmod(0o440)
        temporary.rename(final)
        folder = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _make_durable(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _opened(path: Path) -> BinaryIO:
    """A regular file, without following a link to it and without waiting for the other end of a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        # a link; a socket, or a device that is not there; a file whose mode keeps its owner out
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EACCES):
            raise NotAFile(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotAFile(path)
    return os.fdopen(descriptor, "rb")


async def _chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(file.read, _CHUNK):
        yield chunk
