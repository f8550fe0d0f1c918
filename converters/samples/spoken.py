"""The built-in utterances: sentences, their phonemes, and some of them spoken, apart by package and by voice."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from registry.spec.audio import decode

RATE = 16_000

_DATA = Path(__file__).parent / "data"  # how it was made: benchmarks/spoken.py


@dataclass(frozen=True)
class Sentence:
    """A sentence, and how espeak-ng says it in American English, in IPA."""

    text: str
    phonemes: str


@dataclass(frozen=True)
class Utterance:
    """A sentence that a synthetic voice speaks: FP32 [samples] of one channel at 16 kHz with a peak of about 0.7."""

    text: str
    voice: str
    audio: NDArray[np.float32]


def sentences(split: str) -> list[Sentence]:
    """The sentences of `split`: "calibration" (96), "selection" (40) or "held out" (64)."""
    return [Sentence(entry["text"], entry["phonemes"]) for entry in _entries(split)]


def utterances(split: str) -> list[Utterance]:
    """What is spoken of `split`: half a minute for "calibration", one for "selection" and two for "held out"."""
    recording = decode((_DATA / f"{_file(split)}.ogg").read_bytes(), RATE)
    return [
        Utterance(entry["text"], entry["voice"], recording[entry["start"] : entry["stop"]])
        for entry in _entries(split)
        if "voice" in entry
    ]


def digest(parts: list[NDArray[np.float32]]) -> str:
    """SHA-256 over the samples of all `parts` in order."""
    found = hashlib.sha256()
    for part in parts:
        found.update(np.ascontiguousarray(part).tobytes())
    return found.hexdigest()


def _entries(split: str) -> list[dict[str, str]]:
    entries: list[dict[str, str]] = json.loads((_DATA / "sentences.json").read_text(encoding="utf-8"))[_file(split)]
    return entries


def _file(split: str) -> str:
    return split.replace(" ", "_")
