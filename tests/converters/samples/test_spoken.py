"""The built-in speech: repeatable, apart, and what it says it is."""

from __future__ import annotations

import numpy as np
import pytest

from converters.samples import spoken
from converters.samples.speech import SECONDS, own_recordings, recordings
from converters.samples.spoken import RATE, sentences, utterances
from converters.samples.transcribed import built_in, own
from converters.samples.uploaded import Uploaded
from converters.samples.uploaded_audio import Clip

SPLITS = ("calibration", "selection", "held out")


@pytest.fixture(scope="module")
def owners() -> Uploaded[Clip]:
    lengths = (0.5, 12.288, 40.0)
    clips = tuple(Clip(np.full(round(s * RATE), 0.1, dtype=np.float32), str(s)) for s in lengths)
    return Uploaded(clips, tuple(clip.key for clip in clips), "The owner's own clips", "0" * 64)


def test_no_sentence_and_no_voice_is_in_two_splits() -> None:
    texts = [{sentence.text for sentence in sentences(split)} for split in SPLITS]
    voices = [{utterance.voice for utterance in utterances(split)} for split in SPLITS]
    for sets in (texts, voices):
        assert sum(map(len, sets)) == len(set().union(*sets))


def test_an_utterance_says_its_sentence_and_has_a_peak_below_one() -> None:
    for split in SPLITS:
        known = {sentence.text for sentence in sentences(split)}
        for utterance in utterances(split):
            assert utterance.text in known
            assert 0.5 < np.abs(utterance.audio).max() <= 1
            assert 0.1 < len(utterance.audio) / RATE / len(utterance.text.split()) < 1  # seconds a word


def test_the_data_stay_small() -> None:
    files = sorted((spoken._DATA).iterdir())
    assert sum(file.stat().st_size for file in files if file.suffix == ".ogg") < 400_000
    assert sum(file.stat().st_size for file in files) < 600_000


def test_recordings_repeat_by_seed_and_differ_by_split() -> None:
    one = recordings("selection", 1, 3)
    assert one.data() == recordings("selection", 1, 3).data()
    assert one.data().sha256 != recordings("selection", 2, 3).data().sha256
    assert one.data().sha256 != recordings("held out", 1, 3).data().sha256
    assert all(len(audio) == round(SECONDS * RATE) and np.abs(audio).max() < 1 for audio in one.audio)


def test_an_owners_longer_clips_are_cut_into_pieces_and_shorter_ones_kept(owners: Uploaded[Clip]) -> None:
    lengths = [len(audio) / RATE for audio in own_recordings(owners).audio]
    assert lengths == pytest.approx([0.5, 12.288, 12.288, 12.288, 12.288])


def test_a_text_has_all_its_sentences_in_each_of_its_recordings() -> None:
    speech = built_in("held out", 0)
    assert speech.data() == built_in("held out", 0).data()
    said = " ".join(entry.text or "" for entry in speech.spoken)
    assert sorted(said.split()) == sorted(" ".join(u.text for u in utterances("held out")).split())
    assert all(len(entry.audio) == 5 for entry in speech.spoken)


def test_an_owners_clips_have_no_text_and_end_after_thirty_seconds(owners: Uploaded[Clip]) -> None:
    speech = own(owners)
    assert [entry.text for entry in speech.spoken] == [None] * 3
    assert max(len(entry.audio[0]) for entry in speech.spoken) == 30 * RATE
