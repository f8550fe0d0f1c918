"""Mel spectra in NumPy: what Whisper reads, and how far apart two pieces of audio sound."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray


def power(audio: NDArray[np.float32], window: int, hop: int) -> NDArray[np.float32]:
    """The power spectrum FP32 [window ÷ 2 + 1, frames] of `audio` [samples], in Hann windows of `window` samples.

    The first window is centred on the first sample and the audio is mirrored at both ends, as `torch.stft` does it, so
    there are samples ÷ hop + 1 frames. At least half a window of audio is needed, and one sample.
    """
    padded = np.pad(audio, window // 2, mode="reflect")
    framed = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    hann = np.hanning(window + 1)[:-1].astype(np.float32)
    spectrum = np.fft.rfft(framed * hann, axis=1)
    squared: NDArray[np.float32] = np.square(np.abs(spectrum)).astype(np.float32)
    return squared.T


@functools.cache
def filters(rate: int, window: int, bands: int) -> NDArray[np.float32]:
    """Triangular mel filters FP32 [bands, window ÷ 2 + 1], of equal area, on Slaney's scale from 0 Hz to rate ÷ 2.

    The same as `librosa.filters.mel`, which Whisper was trained with: linear below 1 kHz, logarithmic above (Slaney,
    Auditory Toolbox, 1998).
    """
    edges = _frequencies(np.linspace(0.0, _mels(rate / 2), bands + 2))
    bins = np.fft.rfftfreq(window, 1 / rate)
    widths = np.diff(edges)
    rising = (bins - edges[:-2, None]) / widths[:-1, None]
    falling = (edges[2:, None] - bins) / widths[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    scaled: NDArray[np.float32] = (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)
    return scaled


_LINEAR = 200.0 / 3  # Hz in a mel below 1 kHz
_BREAK = 1000.0  # Hz
_STEP = np.log(6.4) / 27  # above it, 27 mels multiply by 6.4


def _mels(hertz: float) -> float:
    if hertz < _BREAK:
        return hertz / _LINEAR
    return float(_BREAK / _LINEAR + np.log(hertz / _BREAK) / _STEP)


def _frequencies(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    start = _BREAK / _LINEAR
    return np.where(mels < start, mels * _LINEAR, _BREAK * np.exp(_STEP * np.maximum(mels - start, 0.0)))


_WINDOW_MS, _HOP_MS = 46, 12  # 1024 and 256 samples at 22,050 Hz, as vocoders are trained with
_BANDS = 80
_FLOOR_DB = 60.0  # below the loudest; what is fainter is not heard beside it, and its logarithm would decide
_BAND = 48  # frames either way, 0.6 s: further apart nothing belongs together


def distance(reference: NDArray[np.float32], candidate: NDArray[np.float32], rate: int) -> float:
    """The mean difference in dB over bands and frames, frames matched by time where both are as long, else by warping.

    Levels are counted from the loudest of the reference down to 60 dB below it. 0 is the same sound; silence in place
    of speech is about 12. Audio that is not numbers, or none, is 60, the greatest there is.
    """
    if not len(candidate) or not np.isfinite(candidate).all():
        return _FLOOR_DB
    one, other = _levels(reference, rate), _levels(candidate, rate)
    loudest = float(one.max())
    one, other = _decibels(one, loudest), _decibels(other, loudest)
    if one.shape == other.shape:
        return float(np.abs(one - other).mean())
    return _warped(one, other)


def _levels(audio: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Mel powers FP32 [frames, 80]; audio shorter than a window is taken for the beginning of one."""
    window = 2 * round(rate * _WINDOW_MS / 2000)
    padded = np.pad(audio, (0, max(0, window + 1 - len(audio))))
    spectrum = power(padded, window, round(rate * _HOP_MS / 1000))
    levels: NDArray[np.float32] = (filters(rate, window, _BANDS) @ spectrum).T
    return levels


def _decibels(levels: NDArray[np.float32], loudest: float) -> NDArray[np.float32]:
    in_db: NDArray[np.float32] = 10 * np.log10(np.maximum(levels / np.float32(max(loudest, 1e-20)), 1e-10))
    return np.maximum(in_db, np.float32(-_FLOOR_DB))


def _warped(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The mean difference along the cheapest alignment of frames (dynamic time warping; Sakoe and Chiba, 1978)."""
    slope = len(other) / len(one)
    best: dict[int, tuple[float, int]] = {-1: (0.0, 0)}  # column to cost and length of the path that ends there
    never = (np.inf, 0)
    for row, frame in enumerate(one):
        middle = round(row * slope)
        first, last = max(0, middle - _BAND), min(len(other), middle + _BAND + 1)
        costs = np.abs(other[first:last] - frame).mean(axis=1).tolist()
        here: dict[int, tuple[float, int]] = {}
        for column, cost in enumerate(costs, first):
            before = min(best.get(column - 1, never), best.get(column, never), here.get(column - 1, never))
            here[column] = (before[0] + cost, before[1] + 1)
        best = here
    total, length = best.get(len(other) - 1, never)
    return min(_FLOOR_DB, total / max(length, 1))
