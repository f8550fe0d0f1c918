"""The entries of a zip that may be hostile, in memory: nothing is extracted, and no name in it is ever a path."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

from converters.damaged_zip import DAMAGED
from converters.errors import SourceInvalid

ENTRY_BYTES = 256 * 1024**2
TOTAL_BYTES = 2 * 1024**3
_DIRECTORY_BYTES = 8 * 1024**2  # about 80,000 entries; zipfile makes an object of each before anybody can count them
_ENTRIES = 50_000
_RATIO, _SMALL = 200, 32 * 1024**2  # a mask of ones compresses a thousandfold, and 32 MB of them harm nobody
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_SAVE_AGAIN = "Make the zip anew, of plain files, stored or deflated, without a password."


@dataclass(frozen=True)
class Entry:
    """One file of the archive. `path` is what its maker called it, `name` the last part of that, fit for messages."""

    path: str
    name: str
    content: bytes


def entries(file: BinaryIO, name: str, seed: int, most_bytes: int = TOTAL_BYTES) -> Iterator[Entry]:
    """Every file in the zip, in an order that `seed` says, as the caller asks for it.

    `name` is what messages call the archive. Raises SourceInvalid for what is no zip, for bombs and for passwords.
    """
    _check_directory(file, name)
    try:
        archive = zipfile.ZipFile(file)
    except DAMAGED:
        _refuse(name, "is not a zip file", _SAVE_AGAIN)
    infos = [info for info in archive.infolist() if not _is_clutter(info)]
    if len(infos) > _ENTRIES:
        _refuse(name, f"has more than {_ENTRIES:,} files", "A few hundred are used: upload a sample of them.")
    random.Random(f"archive {seed}").shuffle(infos)  # noqa: S311  (repeatable, and no secret)
    total = 0
    for info in infos:
        total += info.file_size
        if total > most_bytes:
            _refuse(name, f"unpacks to more than {most_bytes // 1024**2} MB", "Upload a sample of the files.")
        content = _read(archive, info, name)
        yield Entry(info.filename, shown(info.filename), content)


def shown(path: str) -> str:
    """The last part of a path, fit to be printed."""
    last = path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return last if last.isprintable() and 0 < len(last) <= 100 else "a file"


def _check_directory(file: BinaryIO, name: str) -> None:
    """Bound the directory before zipfile parses it: its size stands in the record at the end of the file."""
    size = file.seek(0, 2)
    start = file.seek(max(0, size - 65_557))  # the record has 22 bytes and a comment of up to 65,535 after it
    tail = file.read()
    record = tail.rfind(b"PK\x05\x06")
    if record < 0 or record + 22 > len(tail):
        _refuse(name, "is not a zip file", _SAVE_AGAIN)
    directory = int.from_bytes(tail[record + 12 : record + 16], "little")
    is_zip64 = tail[max(0, record - 20) : record].startswith(b"PK\x06\x07")
    if is_zip64 or directory > min(_DIRECTORY_BYTES, start + record):
        _refuse(name, "has too many files for its size, or is a zip64", "Upload a zip of some hundred files.")
    file.seek(0)


def _is_clutter(info: zipfile.ZipInfo) -> bool:
    """Directories, and what desktops put into a zip without being asked."""
    last = info.filename.rpartition("/")[2]
    return last in {"", ".DS_Store", "Thumbs.db", "desktop.ini"} or info.filename.startswith("__MACOSX/")


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> bytes:
    """The content of one entry, which is no longer than it claims: zipfile stops there and checks its CRC."""
    if info.flag_bits & 1 or info.compress_type not in _METHODS:
        _refuse(name, "has a password or a compression that is not read", _SAVE_AGAIN)
    if not 0 <= info.header_offset < archive.start_dir:  # zipfile would go there without looking
        _refuse(name, "is damaged", _SAVE_AGAIN)
    bomb = info.file_size > max(_SMALL, _RATIO * info.compress_size)
    if bomb or info.file_size > ENTRY_BYTES:
        _refuse(name, f"holds a file that unpacks to {info.file_size:,} bytes", "Upload the samples themselves.")
    try:
        with archive.open(info) as entry:
            content = entry.read(info.file_size)
    except DAMAGED:
        _refuse(name, "is damaged", _SAVE_AGAIN)
    if len(content) != info.file_size:
        _refuse(name, "is damaged", _SAVE_AGAIN)
    return content


def _refuse(name: str, why: str, remedy: str) -> NoReturn:
    raise SourceInvalid(f"{name} {why}.", remedy)
