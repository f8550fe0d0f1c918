"""Calibration data that an owner uploads with the model: which file it is, how much is read, and its name.

The file is as hostile as the model. Readers of its kinds are in modules of their own: `uploaded_text`,
`uploaded_images`, `uploaded_audio`, `uploaded_tensors`. What they refuse, they refuse as SourceInvalid.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, NoReturn, TypeVar

from converters.errors import SourceInvalid
from converters.samples.split import LEAST, Part, split
from registry.spec.certificate import Data

_T = TypeVar("_T")

SUFFIXES = (".txt", ".jsonl", ".parquet", ".zip")
FILE_BYTES = 1024**3  # 512 images of 2 MB; whoever has more loses nothing by sending fewer
ROWS = 1_000_000  # lines or rows that are looked at, of which a few hundred are used
KEPT_BYTES = 512 * 1024**2  # of the items that are used, in memory

_PURPOSE = {
    Part.CALIBRATION: "the part to calibrate with",
    Part.SELECTION: "the part to choose by",
    Part.HELD_OUT: "the part held out",
}
_ONE_OF = "calibration.txt, calibration.jsonl, calibration.parquet or calibration.zip"


@dataclass(frozen=True)
class Kind(Generic[_T]):
    """A kind of items: what they are called, how many are used, what each holds (SHA-256 in hex) and its bytes."""

    what: str
    most: int
    key: Callable[[_T], str]
    size: Callable[[_T], int]


@dataclass(frozen=True)
class Uploaded(Generic[_T]):
    """What was read of an owner's file. `keys` say what each item holds; no two items have the same key."""

    items: tuple[_T, ...]
    keys: tuple[str, ...]
    description: str
    sha256: str

    @property
    def judges(self) -> bool:
        """Whether there is enough of it to select by and to hold out; else the task's built-in data judges."""
        return len(self.items) >= LEAST

    def data(self) -> Data:
        """As the certificate names it, with the hash of the whole file."""
        return Data(description=self.description, samples=len(self.items), sha256=self.sha256)

    def part(self, part: Part) -> Uploaded[_T]:
        """The items for one purpose: all of them calibrate, and none judges, where there are fewer than 200."""
        positions = split(self.keys)[part]
        return replace(
            self,
            items=tuple(self.items[position] for position in positions),
            keys=tuple(self.keys[position] for position in positions),
            description=f"{self.description}, {_PURPOSE[part]}" if self.judges else self.description,
        )


def find(source: Path) -> Path | None:
    """The owner's calibration file at the top of `source`, None where there is none. Raises SourceInvalid."""
    found = sorted(path for path in source.iterdir() if path.name.lower().startswith("calibration."))
    if not found:
        return None
    if len(found) > 1:
        raise SourceInvalid("The source has more than one calibration file.", f"Upload one of {_ONE_OF}.")
    (path,) = found
    if path.name not in {f"calibration{suffix}" for suffix in SUFFIXES} or path.is_symlink() or not path.is_file():
        raise SourceInvalid(
            "The source has a calibration file in a format that is not read.",
            f"Upload {_ONE_OF}: texts or JSON by the line, columns, or a zip of images, audio or NumPy arrays.",
        )
    return path


def check(path: Path, suffixes: tuple[str, ...], what: str) -> None:
    """Raise SourceInvalid where `path` is not of these formats, empty or too large; `what` the task calibrates with."""
    if path.suffix not in suffixes:
        names = " or ".join(f"calibration{suffix}" for suffix in suffixes)
        refuse(path, f"is not what this task calibrates with, which is {what}", f"Upload {what} as {names}.")
    if not 0 < path.stat().st_size <= FILE_BYTES:
        refuse(path, "is empty or larger than 1 GB", f"Upload some hundred {what} like those the model will get.")


def refuse(path: Path, why: str, remedy: str) -> NoReturn:
    """Raise SourceInvalid about the calibration file."""
    raise SourceInvalid(f"{path.name} {why}.", remedy)


def choose(path: Path, kind: Kind[_T], found: Iterable[_T], seed: int) -> Uploaded[_T]:
    """At most `kind.most` and `KEPT_BYTES` of `found`, without repetitions, in its order: which of them, `seed` says.

    Reservoir sampling, algorithm R (Vitter 1985): one pass, and no more in memory than is kept; a reservoir that grows
    too large loses items at random, which leaves it uniform. Raises SourceInvalid for nothing, or more than `ROWS`.
    """
    rng = random.Random(f"uploaded {seed}")  # noqa: S311  (repeatable, and no secret)
    kept: list[tuple[int, str, _T]] = []
    most, size, count = kind.most, 0, 0
    for count, (key, item) in enumerate(_distinct(path, found, kind), 1):
        place = len(kept) if len(kept) < most else rng.randrange(count)
        if place >= most:
            continue
        size += kind.size(item) - sum(kind.size(old) for _, _, old in kept[place : place + 1])
        kept[place : place + 1] = [(count, key, item)]
        while size > KEPT_BYTES and len(kept) > 1:
            size -= kind.size(kept.pop(rng.randrange(len(kept)))[2])
            most = len(kept)
    if not kept:
        refuse(path, f"holds no {kind.what}", f"Upload some hundred {kind.what} like those the model will get.")
    return _uploaded(path, kind.what, sorted(kept, key=lambda entry: entry[0]), count)


def _uploaded(path: Path, what: str, kept: list[tuple[int, str, _T]], count: int) -> Uploaded[_T]:
    """`kept`, each with its place in the file and its key, out of `count` distinct items."""
    some = f" ({len(kept)} of {count})" if len(kept) < count else ""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Uploaded(
        items=tuple(item for _, _, item in kept),
        keys=tuple(key for _, key, _ in kept),
        description=f"The owner's own {what}, {path.name}{some}",
        sha256=digest,
    )


def _distinct(path: Path, found: Iterable[_T], kind: Kind[_T]) -> Iterator[tuple[str, _T]]:
    seen: set[bytes] = set()
    for number, item in enumerate(found, 1):
        if number > ROWS:
            refuse(path, f"has more than {ROWS:,} entries", "A few hundred are used: upload a sample of them.")
        key = kind.key(item)
        mark = bytes.fromhex(key)[:16]  # there may be a million
        if mark not in seen:
            seen.add(mark)
            yield key, item
