"""Contents of files to classify: of installed Python packages, of Python itself, and of what the system shares."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import sysconfig
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from converters.subject import Split
from registry.spec.certificate import Data

CALIBRATION = "calibration"

EDGE = 4096
"""Bytes that are kept from each end of a content: no model here reads more."""

_SHARES = {CALIBRATION: 0.25, Split.SELECTION: 0.2, Split.HELD_OUT: 0.55}
_COUNTS = {CALIBRATION: 256, Split.SELECTION: 512, Split.HELD_OUT: 1536}
_MOST_OF_A_SUFFIX = 96  # so that no set is nothing but Python and C
_MOST_OF_A_DIRECTORY = 24
_LEAST_BYTES = 16  # magika decides about shorter contents without its model


@dataclass(frozen=True)
class Contents:
    """Contents, of which the middle may be left out, and where they come from."""

    contents: tuple[bytes, ...]
    description: str

    def data(self) -> Data:
        """As the certificate names them."""
        digest = hashlib.sha256()
        for content in self.contents:
            digest.update(hashlib.sha256(content).digest())
        return Data(description=self.description, samples=len(self.contents), sha256=digest.hexdigest())


def contents(seed: int) -> Mapping[str, Contents]:
    """The three sets: `calibration`, and what is chosen by and judged on.

    A package, or a directory of the system's, is in one set only, and so is a content that several of them have.
    """
    files: dict[str, dict[str, list[str]]] = {name: defaultdict(list) for name in _SHARES}
    homes: dict[str, str] = {}
    for package, path in _files():
        home = homes.get(package) or homes.setdefault(package, _set_of(package, seed))
        files[home][os.path.splitext(path)[1].lower()].append(path)
    seen: set[bytes] = set()
    return {name: _chosen(name, by_suffix, seed, seen) for name, by_suffix in files.items()}


def _files() -> Iterator[tuple[str, str]]:
    """Every file with the package it belongs to: the first directory below where packages lie.

    They are 120,000, and a Path of each would take ten times as long as its name.
    """
    roots = (sysconfig.get_path("purelib"), sysconfig.get_path("stdlib"), "/usr/share")
    for root in roots:
        for directory, below, names in os.walk(root):
            below[:] = sorted(name for name in below if name not in {"site-packages", "dist-packages", "__pycache__"})
            inside = os.path.relpath(directory, root).split(os.sep)[0]
            for name in sorted(names):
                package = (name if inside == "." else inside).split("-")[0].split(".")[0].lower()
                yield package, f"{directory}/{name}"


def _set_of(package: str, seed: int) -> str:
    place = int.from_bytes(hashlib.sha256(f"{seed} {package}".encode()).digest()[:8], "big") / 2**64
    bounds = itertools.accumulate(_SHARES.values())
    return next((name for name, bound in zip(_SHARES, bounds, strict=True) if place < bound), Split.HELD_OUT)


def _chosen(name: str, by_suffix: Mapping[str, list[str]], seed: int, seen: set[bytes]) -> Contents:
    """The first of every suffix, then the second, and so on, until there are enough."""
    shuffled = {suffix: _shuffled(paths, seed) for suffix, paths in sorted(by_suffix.items())}
    rounds = itertools.zip_longest(*shuffled.values())
    found: list[bytes] = []
    suffixes: set[str] = set()
    for path in (path for turn in rounds for path in turn if path is not None):
        content = _read(path)
        if content is None or content in seen:
            continue
        seen.add(content)
        suffixes.add(os.path.splitext(path)[1].lower())
        found.append(content)
        if len(found) == _COUNTS[name]:
            break
    return Contents(
        tuple(found),
        f"Files with {len(suffixes)} suffixes out of installed Python packages, Python itself and the system's "
        "shared data, each package in one set only",
    )


def _shuffled(paths: list[str], seed: int) -> list[str]:
    """At most as many as there may be of one suffix, and of one directory no more than its share."""
    rng = random.Random(seed)  # noqa: S311  (repeatable, and no secret)
    taken: dict[str, int] = defaultdict(int)
    kept: list[str] = []
    for path in rng.sample(sorted(paths), len(paths)):
        directory = os.path.dirname(path)
        taken[directory] += 1
        if taken[directory] <= _MOST_OF_A_DIRECTORY:
            kept.append(path)
        if len(kept) == _MOST_OF_A_SUFFIX:
            break
    return kept


def _read(place: str) -> bytes | None:
    """The content without its middle; None for what is no plain file, cannot be read, or is next to nothing."""
    path = Path(place)
    if path.is_symlink() or not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read(2 * EDGE)
            if size > 2 * EDGE:
                file.seek(size - EDGE)
                content = content[:EDGE] + file.read(EDGE)
    except OSError:  # another user's, or gone
        return None
    return content if len(content.strip()) >= _LEAST_BYTES else None
