"""Audio is decoded or refused, and keeps its sound at another sample rate."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from registry.spec.audio import decode, resample


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


def _file(samples: NDArray[np.float32], rate: int, kind: str = "WAV", subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG"])
def test_channels_are_averaged_whatever_the_format(kind: str) -> None:
    left, right = _tone(440, 16_000, 1), _tone(880, 16_000, 1)
    decoded = decode(_file(np.stack([left, right], axis=1), 16_000, kind), 16_000)
    assert decoded.dtype == np.float32
    assert np.abs(decoded - (left + right) / 2).max() < (0.1 if kind == "OGG" else 1e-3)


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (b"", "not audio that can be read"),
        (b"R", "not audio that can be read"),
        (b"RIFF\x00\x00\x00\x00WAVE", "not audio that can be read"),
        (_file(np.zeros(0, np.float32), 16_000), "no samples"),
        (_file(np.full(9, np.nan, np.float32), 16_000, subtype="FLOAT"), "not finite"),
        (_file(np.zeros(9, np.float32), 2_000), "2000 samples a second"),
        (_file(np.zeros((9, 9), np.float32), 16_000), "9 channels"),
        (_file(np.zeros(9, np.float32), 16_000, "AIFF"), "AIFF"),
        (_file(np.zeros(601 * 8_000, np.float32), 8_000, "FLAC"), "longer than 600 seconds"),
        (_file(np.zeros(151 * 192_000, np.float32), 192_000, "FLAC"), "longer than 150 seconds"),
    ],
)
def test_what_cannot_be_heard_is_refused_with_what_to_send(encoded: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=rf"{reason}.*\. Send "):
        decode(encoded, 16_000)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_damaged_audio_is_a_value_error_and_nothing_else(data: st.DataObject) -> None:
    whole = bytearray(_file(_tone(440, 8_000, 0.1), 8_000, data.draw(st.sampled_from(["WAV", "FLAC", "OGG"]))))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, min(80, len(whole) - 1)))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        decode(bytes(whole), 16_000)
