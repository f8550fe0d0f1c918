"""An owner's audio: WAV, FLAC and Ogg in a zip."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters.samples.content import Content, content_of
from converters.samples.uploaded import Kind, Uploaded, check, choose, refuse
from converters.samples.uploaded_archive import Entry, entries
from registry.spec.audio import decode

MOST_CLIPS = 512
_ALL_SECONDS = 3600  # 230 MB at 16 kHz
_REMEDY = "Upload a zip of WAV, FLAC or Ogg clips of up to ten minutes, 4 to 192 kHz."


@dataclass(frozen=True)
class Clip:
    """FP32 [samples] in one channel, about -1…1, at the rate that was asked for; `key` is the SHA-256 of them."""

    samples: NDArray[np.float32]
    key: str


_KIND = Kind[Clip]("audio clips", MOST_CLIPS, lambda clip: clip.key, lambda clip: clip.samples.nbytes)


def audio(path: Path, rate: int, seed: int = 0) -> Uploaded[Clip]:
    """The clips in the zip at `rate` Hz, at most 512 and an hour of them, none twice. Raises SourceInvalid."""
    check(path, (".zip",), _KIND.what)
    with path.open("rb") as file:
        found = _enough((_read(path, entry, rate) for entry in entries(file, path.name, seed)), rate)
        return choose(path, _KIND, found, seed)


def _read(path: Path, entry: Entry, rate: int) -> Clip:
    kind = content_of(entry.content)
    if kind is not Content.AUDIO:
        refuse(path, f"holds {entry.name!r}, which is {kind}", _REMEDY)
    try:
        samples = decode(entry.content, rate)
    except ValueError:
        refuse(path, f"holds {entry.name!r}, a clip that is damaged, empty, not finite or too long", _REMEDY)
    return Clip(samples, hashlib.sha256(samples.tobytes()).hexdigest())


def _enough(found: Iterator[Clip], rate: int) -> Iterator[Clip]:
    """Clips until there is an hour of them."""
    total = 0
    for count, clip in enumerate(found, 1):
        total += len(clip.samples)
        yield clip
        if count >= MOST_CLIPS or total > _ALL_SECONDS * rate:
            return
