"""Audio from one sample rate to another, in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SECONDS = 8  # at a time, so that ten minutes at 192 kHz need no gigabytes
_MARGIN = 1  # seconds on both sides that are thrown away: what wraps around there has decayed to 2 in 100,000


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
        _block(padded[i * _SECONDS * rate : (i * _SECONDS + _SECONDS + 2 * _MARGIN) * rate], target)
        for i in range(blocks)
    ]
    return np.concatenate(parts)[:samples]


def _block(block: NDArray[np.float32], target: int) -> NDArray[np.float32]:
    """The middle of one block, `_SECONDS` at `target` Hz."""
    length = (_SECONDS + 2 * _MARGIN) * target
    spectrum = np.fft.rfft(block)
    kept = min(len(spectrum), length // 2 + 1)
    resized = np.fft.irfft(spectrum[:kept], length) * (length / len(block))
    return resized[_MARGIN * target : -_MARGIN * target].astype(np.float32)
