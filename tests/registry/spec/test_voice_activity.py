"""Frames, segments and agreement of voice activity."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from registry.spec.voice_activity import CONTEXT, FRAME, Shape, compare, frames, segments, shape_of


def row(*runs: tuple[float, int]) -> NDArray[np.float32]:
    return np.concatenate([np.full(count, value, dtype=np.float32) for value, count in runs])


def test_a_frame_begins_with_the_end_of_the_one_before() -> None:
    audio = np.arange(1, 2 * FRAME + 11, dtype=np.float32)
    found = frames(audio)
    assert found.shape == (3, CONTEXT + FRAME)
    assert not found[0, :CONTEXT].any()
    np.testing.assert_array_equal(found[1, :CONTEXT], audio[FRAME - CONTEXT : FRAME])
    np.testing.assert_array_equal(found[2, CONTEXT : CONTEXT + 10], audio[-10:])
    assert not found[2, CONTEXT + 10 :].any()


def test_no_audio_is_one_frame_of_silence() -> None:
    found = frames(np.empty(0, dtype=np.float32))
    assert found.shape == (1, CONTEXT + FRAME)
    assert not found.any()


def test_both_shapes_of_graphs_are_known_and_others_refused() -> None:
    assert shape_of(["sr", "input", "state"]) is Shape.STEP
    assert shape_of(["input", "h", "c"]) is Shape.SEQUENCE
    with pytest.raises(ValueError, match="takes input"):
        shape_of(["audio"])


def test_frames_on_the_same_side_of_one_half_agree() -> None:
    reference = np.array([[0.1, 0.9, 0.49, 0.5]], dtype=np.float32)
    agreement = compare(reference, np.array([[0.4, 0.6, 0.51, 0.5]], dtype=np.float32))
    assert agreement.same.tolist() == [0.75]
    assert agreement.drift[0] == pytest.approx((0.3 + 0.3 + 0.02) / 4, abs=1e-6)


def test_a_frame_that_is_not_a_number_agrees_with_nothing() -> None:
    agreement = compare(np.zeros((1, 2), np.float32), np.array([[np.nan, 0]], dtype=np.float32))
    assert agreement.same.tolist() == [0.5]
    assert agreement.drift.tolist() == [0.5]


def test_short_pauses_do_not_end_speech_and_short_noises_are_none() -> None:
    found = segments(row((0, 5), (0.9, 20), (0.1, 3), (0.9, 10), (0.1, 10), (0.9, 3), (0, 10)))
    assert found == [(5 * 0.032, 38 * 0.032)]


def test_speech_ends_where_it_has_been_below_the_lower_threshold_and_not_before() -> None:
    assert segments(row((0.9, 10), (0.4, 20))) == [(0.0, 30 * 0.032)]
    assert segments(row((0.9, 10), (0.3, 20))) == [(0.0, 10 * 0.032)]


def test_segments_are_those_of_silero_itself() -> None:
    theirs = pytest.importorskip("silero_vad.utils_vad").get_speech_timestamps_from_probs
    rng = np.random.default_rng(0)
    for _ in range(50):
        steps = rng.uniform(0, 1, 40).repeat(rng.integers(1, 12, 40)).astype(np.float32)
        expected = [(entry["start"] / 16_000, entry["end"] / 16_000) for entry in theirs(list(steps), speech_pad_ms=0)]
        np.testing.assert_allclose(segments(steps), expected)
