"""Phonemes to ids as Piper's voices are trained with them, and a voice in two parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.spec.session import Feeds
from registry.spec.speech import QUIET, TASK, TEXT, VOICE, Seam, Speaker, Voice

TABLE = {"_": (0,), "^": (1,), "$": (2,), "a": (14,), "ʃ": (96,), "c": (16,), "\u0327": (140,)}
SPOKEN = Voice(rate=22_050, table=TABLE, scales=(0.667, 1.0, 0.8))


def test_each_phoneme_has_padding_behind_it() -> None:
    assert SPOKEN.ids("aʃ").tolist() == [1, 0, 14, 0, 96, 0, 2]


def test_symbols_are_taken_apart_and_unknown_ones_left_out() -> None:
    assert SPOKEN.known("ça?") == ["c", "\u0327", "a"]


def test_marks_that_mean_start_and_end_cannot_be_said() -> None:
    assert SPOKEN.ids("^a$_").tolist() == [1, 0, 14, 0, 2]


def test_neither_silence_nor_audio_of_another_length_is_within_the_bounds() -> None:
    assert {criterion.name: criterion.bound for criterion in TASK.criteria} == {
        "mel_distance": 3.0,
        "length_change": 0.05,
    }
    assert not any(criterion.higher_is_better for criterion in TASK.criteria)


class _Doubling:
    """Answers what it is asked for with twice the first input, and remembers its inputs."""

    def __init__(self, first: str) -> None:
        self.first = first
        self.seen: dict[str, NDArray[Any]] = {}

    def run(self, outputs: Sequence[str] | None, feeds: Feeds) -> list[NDArray[Any]]:
        self.seen = dict(feeds)
        return [2 * feeds[self.first] for _ in outputs or ["only"]]


def test_the_second_part_gets_what_the_first_found_and_what_both_take() -> None:
    text, voice = _Doubling("input"), _Doubling("lengths")
    speaker = Speaker(
        {TEXT: text, VOICE: voice},
        ("input", "input_lengths", "scales"),
        Seam(carried=("lengths",), shared=("scales",)),
    )
    audio = speaker.speak(np.array([1, 0, 2]), QUIET)
    assert audio.tolist() == [4, 0, 8]
    assert text.seen["input_lengths"].tolist() == [3]
    assert set(voice.seen) == {"lengths", "scales"}
