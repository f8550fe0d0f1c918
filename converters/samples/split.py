"""Which of an owner's samples set the scales, which the search chooses by, and which the certificate is about."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import TypeVar

_T = TypeVar("_T")

LEAST = 200
"""Distinct samples from which on an owner's data also judges: 80 held out bound a share of 0.95 to ± 0.05."""


class Part(StrEnum):
    """What a part of the data is for, named as `Subject.data` names it."""

    CALIBRATION = "calibration"
    SELECTION = "selection"
    HELD_OUT = "held out"


_UP_TO = {Part.CALIBRATION: 0.4, Part.SELECTION: 0.6, Part.HELD_OUT: 1.0}


def split(keys: Sequence[str]) -> dict[Part, tuple[int, ...]]:
    """The positions of each part in `keys`, which say what a sample holds: equal keys stay together.

    Two fifths calibrate, one fifth selects, two fifths are held out, by the order of the keys' SHA-256, so that neither
    the order of a file nor a repetition changes where a sample goes. Fewer than `LEAST` distinct keys only calibrate.
    """
    ranked = sorted(set(keys), key=lambda key: hashlib.sha256(key.encode()).digest())
    home = {key: _home(rank, len(ranked)) for rank, key in enumerate(ranked)}
    return {part: tuple(i for i, key in enumerate(keys) if home[key] is part) for part in Part}


def apart(samples: Iterable[_T], key: Callable[[_T], str], others: Iterable[str]) -> list[_T]:
    """The samples whose key is none of `others`: what judges must not be what an owner calibrates with."""
    taken = set(others)
    return [sample for sample in samples if key(sample) not in taken]


def _home(rank: int, count: int) -> Part:
    if count < LEAST:
        return Part.CALIBRATION
    return next(part for part, share in _UP_TO.items() if rank < round(share * count))
