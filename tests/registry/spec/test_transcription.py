"""What Whisper reads, and where long audio is cut."""

from __future__ import annotations

import numpy as np
import pytest

from registry.spec.transcription import RATE, features, windows


def test_features_are_those_of_the_original_extractor() -> None:
    extractor = pytest.importorskip("transformers").WhisperFeatureExtractor()
    audio = (0.1 * np.random.default_rng(0).standard_normal(5 * RATE)).astype(np.float32)
    expected = extractor(audio, sampling_rate=RATE, return_tensors="np").input_features[0]
    np.testing.assert_allclose(features(audio, 80), expected, atol=1e-4)


def test_silence_has_features_that_are_numbers() -> None:
    found = features(np.zeros(100, dtype=np.float32), 80)
    assert found.shape == (80, 3000)
    assert np.isfinite(found).all()


def test_short_audio_is_one_window() -> None:
    audio = np.ones(30 * RATE, dtype=np.float32)
    assert [len(piece) for piece in windows(audio)] == [len(audio)]


def test_long_audio_is_cut_in_a_pause_and_nothing_is_lost() -> None:
    audio = np.random.default_rng(0).standard_normal(70 * RATE).astype(np.float32)
    audio[27 * RATE : 27 * RATE + RATE // 2] *= 0.01
    pieces = windows(audio)
    np.testing.assert_array_equal(np.concatenate(pieces), audio)
    assert 27 * RATE < len(pieces[0]) < 27.5 * RATE
    assert all(len(piece) <= 30 * RATE for piece in pieces)
