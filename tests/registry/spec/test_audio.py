"""Audio keeps its sound at another sample rate."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from registry.spec.audio import resample


def _tone(hertz: float, rate: int, seconds: float) -> NDArray[np.float32]:
    tone: NDArray[np.float32] = np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate).astype(np.float32)
    return tone


@pytest.mark.parametrize(("rate", "target"), [(44_100, 16_000), (8_000, 16_000), (48_000, 16_000), (22_050, 24_000)])
def test_a_tone_stays_that_tone(rate: int, target: int) -> None:
    """Over the seams of blocks, too; at the very ends there is nothing to interpolate from."""
    resampled, wanted = resample(_tone(440, rate, 20), rate, target), _tone(440, target, 20)
    assert len(resampled) == len(wanted)
    inside = slice(target // 10, -target // 10)
    assert np.abs(resampled - wanted)[inside].max() < 2e-3


def test_what_the_lower_rate_cannot_carry_is_gone() -> None:
    assert np.abs(resample(_tone(12_000, 48_000, 3), 48_000, 16_000)[2000:-2000]).max() < 1e-2


def test_the_same_rate_and_no_audio_are_left_alone() -> None:
    audio = _tone(440, 16_000, 0.1)
    assert resample(audio, 16_000, 16_000) is audio
    assert len(resample(audio[:0], 8_000, 16_000)) == 0
