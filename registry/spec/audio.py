"""Audio files as arrays: FP32 [samples] of one channel, about -1…1. NumPy only but for decoding."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from soundfile import SoundFile

MOST_SECONDS = 600
"""A longer recording is refused: at 16 kHz it is 38 MB."""

_MOST_SAMPLES = MOST_SECONDS * 48_000  # 115 MB while it is decoded; at higher rates less than ten minutes

_RATES = (4_000, 192_000)
_CHANNELS = 8
_FORMATS = {"WAV", "WAVEX", "FLAC", "OGG"}
_BLOCK = 65_536
_REMEDY = "Send a whole WAV, FLAC or Ogg file."
_SECONDS = 8  # resampled at a time, so that ten minutes at 192 kHz need no gigabytes
_MARGIN = 1  # seconds on both sides that are thrown away: what wraps around there has decayed to 2 in 100,000


def decode(encoded: bytes, rate: int) -> NDArray[np.float32]:
    """The mean of the channels of a WAV, FLAC or Ogg file, at `rate` Hz.

    Raises ValueError, with sentences for the person who sent it, for what is damaged, empty, not finite or longer than
    ten minutes (above 48 kHz: than as many samples). How many samples there are is counted, not read in the header:
    half an hour of silence is a few bytes in FLAC.
    """
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(encoded)) as sound:
            _check(sound)
            mono = np.concatenate([np.empty(0, dtype=np.float32), *_blocks(sound)])
            original = int(sound.samplerate)
    except soundfile.SoundFileError as error:
        raise ValueError(f"The bytes are not audio that can be read. {_REMEDY}") from error
    if not len(mono):
        raise ValueError(f"The audio has no samples. {_REMEDY}")
    if not np.isfinite(mono).all():
        raise ValueError(f"The audio has samples that are not finite numbers. {_REMEDY}")
    return resample(mono, original, rate)


def resample(audio: NDArray[np.float32], rate: int, target: int) -> NDArray[np.float32]:
    """`audio` FP32 [samples] at `rate` Hz as FP32 [samples · target ÷ rate, rounded up] at `target` Hz.

    The spectrum of blocks of whole seconds is cut or extended by zeros (band-limited interpolation), so that nothing
    above the lower of the two Nyquist frequencies is left to alias.
    """
    if rate == target or not len(audio):
        return audio
    samples = -(-len(audio) * target // rate)
    blocks = -(-len(audio) // (_SECONDS * rate))
    padded = np.zeros((blocks * _SECONDS + 2 * _MARGIN) * rate, dtype=np.float32)
    padded[_MARGIN * rate : _MARGIN * rate + len(audio)] = audio
    parts = [
        _resampled(padded[i * _SECONDS * rate : (i * _SECONDS + _SECONDS + 2 * _MARGIN) * rate], target)
        for i in range(blocks)
    ]
    return np.concatenate(parts)[:samples]


def _check(sound: SoundFile) -> None:
    """Before a sample is decoded, by what the header says."""
    if sound.format not in _FORMATS:
        raise ValueError(f"The audio is {sound.format}. {_REMEDY}")
    if not 1 <= sound.channels <= _CHANNELS:
        raise ValueError(f"The audio has {sound.channels} channels. Send one of up to {_CHANNELS}.")
    if not _RATES[0] <= sound.samplerate <= _RATES[1]:
        raise ValueError(f"The audio has {sound.samplerate} samples a second. Send it at 4 to 192 kHz.")


def _blocks(sound: SoundFile) -> Iterator[NDArray[np.float32]]:
    most = left = min(MOST_SECONDS * sound.samplerate, _MOST_SAMPLES)
    while len(block := sound.read(_BLOCK, dtype="float32", always_2d=True)):
        left -= len(block)
        if left < 0:
            raise ValueError(f"The audio is longer than {most // sound.samplerate} seconds. Send it in parts.")
        yield block.mean(axis=1, dtype=np.float32)


def _resampled(block: NDArray[np.float32], target: int) -> NDArray[np.float32]:
    """The middle of one block, `_SECONDS` at `target` Hz."""
    length = (_SECONDS + 2 * _MARGIN) * target
    spectrum = np.fft.rfft(block)
    kept = min(len(spectrum), length // 2 + 1)
    resized = np.fft.irfft(spectrum[:kept], length) * (length / len(block))
    return resized[_MARGIN * target : -_MARGIN * target].astype(np.float32)
