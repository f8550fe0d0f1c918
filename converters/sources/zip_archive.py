"""A zip archive that may be hostile: its directory is checked before any entry is unpacked, and nothing leaves memory.

Refused are what bombs and mix-ups are made of: overlapping entries (https://www.bamsoftware.com/hacks/zipbomb), high
ratios, names that climb out, two names that differ in case only (torch's reader takes either), encrypted entries, bytes
before or behind the archive.
"""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from converters.damaged_zip import DAMAGED
from converters.errors import SourceInvalid

MAGIC = b"PK\x03\x04"
_MOST_ENTRIES = 20_000  # torch writes one for each tensor; the largest models have some thousand
_MOST_RATIO = 100  # source code in TorchScript archives packs to a tenth
_MOST_UNPACKED = 64 * 1024**2  # of all compressed entries: torch stores tensors as they are
_LOCAL_HEADER, _LOCAL_LENGTHS = 30, 26  # bytes before an entry's name, and before the lengths of what follows
_COPIED_BYTES = 16 * 1024**2  # at once
_END, _END_MAGIC = 22, b"PK\x05\x06"  # the record that ends an archive without a comment


@dataclass(frozen=True)
class Archive:
    """A checked archive: the bytes of its entries by their names below its one top directory."""

    name: str
    entries: Mapping[str, zipfile.ZipInfo]
    _file: zipfile.ZipFile

    def read(self, entry: str, most: int) -> bytes:
        """The bytes of an entry. Raises SourceInvalid where it is missing, has more than `most`, or is damaged."""
        info = self.entries.get(entry)
        if info is None or info.file_size > most:
            raise _refused(self.name, f"its {entry[:50]!a} is missing or has more than {most} bytes")
        with _reading(self.name), self._file.open(info) as file:
            return file.read()

    def copy(self, target: Path, entries: Iterable[str], changed: Mapping[str, bytes]) -> None:
        """Write an archive of `entries` to `target`, stored, with the contents that `changed` has for some of them.

        Raises SourceInvalid where one is damaged.
        """
        with zipfile.ZipFile(target, "w") as made:
            for entry in entries:
                info = self.entries[entry]
                place = zipfile.ZipInfo(f"archive/{entry}")
                if entry in changed:
                    made.writestr(place, changed[entry])
                    continue
                place.file_size = info.file_size  # from 2 GB on its header is a longer one
                with _reading(self.name), self._file.open(info) as file, made.open(place, "w") as copied:
                    shutil.copyfileobj(file, copied, _COPIED_BYTES)


def is_zip(path: Path) -> bool:
    """Whether the file begins as a zip archive does."""
    with path.open("rb") as file:
        return file.read(4) == MAGIC


@contextmanager
def open_archive(source: Path | bytes, name: str) -> Iterator[Archive]:
    """The archive in a file or in bytes; `name` is for messages. Raises SourceInvalid for what is no honest one."""
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    try:
        file = zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)
    except DAMAGED as error:
        raise _refused(name, "it is no zip archive, or was cut off") from error
    with file:
        if not _ends(source):
            raise _refused(name, "something follows it, or it was cut off")
        _check_sizes(file, size, name)
        _check_places(file, name)
        yield Archive(name, _entries(file, name), file)


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """What zipfile raises for an entry whose header, bytes or checksum do not hold."""
    try:
        yield
    except DAMAGED as error:
        raise _refused(name, "an entry is damaged") from error


def _check_sizes(file: zipfile.ZipFile, size: int, name: str) -> None:
    infos = file.infolist()
    if not infos or len(infos) > _MOST_ENTRIES:
        raise _refused(name, f"it has {len(infos)} entries")
    if any(
        info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in infos
    ):
        raise _refused(name, "an entry is encrypted or packed in an unusual way")
    packed = [info for info in infos if info.compress_type == zipfile.ZIP_DEFLATED]
    if any(info.file_size != info.compress_size for info in infos if info.compress_type == zipfile.ZIP_STORED):
        raise _refused(name, "an entry's two sizes do not agree")
    ratio = any(info.file_size > _MOST_RATIO * max(info.compress_size, 1) for info in packed)
    if ratio or sum(info.file_size for info in packed) > _MOST_UNPACKED:
        raise _refused(name, f"its {size} bytes would unpack to far more")


def _ends(source: Path | bytes) -> bool:
    """Whether the archive's last record is the file's end: readers that look for it from there agree on it."""
    if isinstance(source, bytes):
        return source[-_END:].startswith(_END_MAGIC)
    with source.open("rb") as file:
        file.seek(-_END, io.SEEK_END)
        return file.read(4) == _END_MAGIC


def _check_places(file: zipfile.ZipFile, name: str) -> None:
    """Entries follow each other from the first byte, each in a place of its own, up to the directory."""
    assert file.fp is not None
    position = 0
    for info in sorted(file.infolist(), key=lambda info: info.header_offset):
        if info.header_offset < position or (position == 0 and info.header_offset != 0):
            raise _refused(name, "its entries overlap, or something lies before them")
        position = info.header_offset + _LOCAL_HEADER + info.compress_size
        if position <= file.start_dir:
            file.fp.seek(info.header_offset + _LOCAL_LENGTHS)
            lengths = file.fp.read(4)  # bytes of its name and of its extra field, which the directory need not repeat
            position += int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
        if position > file.start_dir:
            raise _refused(name, "its directory lies within its entries")


def _entries(file: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    """The entries by their names below the one directory that torch puts all of them in."""
    entries: dict[str, zipfile.ZipInfo] = {}
    roots = set()
    for info in file.infolist():
        path = PurePosixPath(info.filename)
        odd = str(path) != info.orig_filename or not set(info.orig_filename).isdisjoint("\\\0")
        if odd or path.is_absolute() or ".." in path.parts:
            raise _refused(name, "an entry's name leads out of it, or is not plain")
        roots.add(path.parts[0] if path.parts else "")
        entries["/".join(path.parts[1:])] = info
    if len({entry.lower() for entry in entries}) < len(file.infolist()) or len(roots) != 1:
        raise _refused(name, "two entries have one name, or they lie in several directories")
    return entries


def _refused(name: str, why: str) -> SourceInvalid:
    return SourceInvalid(
        f"{name} is not an archive that can be opened: {why}.",
        "Save it again with torch.export.save or torch.jit.save, or export the model to ONNX.",
    )
