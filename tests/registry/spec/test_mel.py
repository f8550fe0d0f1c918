"""Mel spectra: Whisper's own filters, and a distance that hears what people hear."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from registry.spec.mel import distance, filters, power

RATE = 16_000


def chirp(seconds: float, low: float = 200, high: float = 3000) -> NDArray[np.float32]:
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * (low * time + (high - low) * time**2 / (2 * seconds))
    return (0.5 * np.sin(phase)).astype(np.float32)


def test_the_filters_are_those_that_whisper_was_trained_with() -> None:
    extractor = pytest.importorskip("transformers").WhisperFeatureExtractor()
    np.testing.assert_allclose(filters(RATE, 400, 80), extractor.mel_filters.T, atol=1e-7)


def test_a_tone_is_loudest_in_the_bin_of_its_frequency() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    spectrum = power(tone, 400, 160)
    assert spectrum.shape == (201, 101)
    assert set(spectrum[:, 2:-2].argmax(axis=0)) == {1000 * 400 // RATE}  # the ends are mirrored


def test_the_same_sound_is_at_no_distance_and_worse_sound_further_away() -> None:
    sound, rng = chirp(1.0), np.random.default_rng(0)
    noise = rng.standard_normal(len(sound)).astype(np.float32)
    distances = [distance(sound, sound + level * noise, RATE) for level in (0.0, 0.001, 0.01, 0.1)]
    assert distances[0] == 0
    assert distances == sorted(distances)
    assert distances[-1] > 10


def test_what_is_a_tenth_louder_is_hardly_at_any_distance() -> None:
    assert 0 < distance(chirp(1.0), 1.1 * chirp(1.0), RATE) < 1


def test_speaking_a_little_slower_is_nearer_than_saying_something_else() -> None:
    slower = distance(chirp(1.0), chirp(1.05), RATE)
    assert slower < 1.5
    assert distance(chirp(1.0), chirp(1.05, high=1000), RATE) > 3 * slower


def test_audio_that_is_not_numbers_or_not_there_is_as_far_away_as_can_be() -> None:
    broken = chirp(0.5)
    broken[100] = np.nan
    assert distance(chirp(0.5), broken, RATE) == 60
    assert distance(chirp(0.5), np.empty(0, dtype=np.float32), RATE) == 60


def test_audio_shorter_than_a_window_has_a_distance_too() -> None:
    assert 0 < distance(chirp(0.01), 0.1 * chirp(0.012), RATE) < 60
