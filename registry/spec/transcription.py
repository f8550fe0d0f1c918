"""The task `transcription`: speech in, text out, billed by the second of audio.

Signature: input `audio` FP32 [samples] of one channel at 16 kHz, output `text` BYTES [1], both behind one batch
dimension. The models are Whisper's (arXiv 2212.04356), which read 80 (or 128) mel bands of 30 s.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from registry.spec.mel import filters, power
from registry.spec.signature import DataType, Signature, TensorSpec
from registry.spec.task import Criterion, Modality, Task, Unit

TASK = Task(
    name="transcription",
    title="Speech to text",
    input=Modality.AUDIO,
    output=Modality.TEXT,
    units=(
        Unit("audio_seconds", billed=True, meaning="seconds of audio, a begun one counted whole"),
        Unit("output_tokens", billed=False, meaning="tokens of the text"),
    ),
    criteria=(
        Criterion(
            "word_error_added",
            "words wrong beyond those that the original has wrong, as a share of the words said",
            0.005,
            higher_is_better=False,
        ),
        Criterion(
            "words_changed", "words that differ from the original's, as a share of its", None, higher_is_better=False
        ),
    ),
)

RATE = 16_000
WINDOW_SECONDS = 30

_WINDOW = WINDOW_SECONDS * RATE
_FFT, _HOP = 400, 160
_QUIET_SEARCH = 5 * RATE  # the end of a window that is searched for a pause to cut at
_PAUSE = RATE // 10


def signature() -> Signature:
    """The public signature of a transcription model."""
    return Signature(
        inputs=(TensorSpec("audio", DataType.FP32, (-1,)),), outputs=(TensorSpec("text", DataType.BYTES, (1,)),)
    )


def features(audio: NDArray[np.float32], bands: int) -> NDArray[np.float32]:
    """What Whisper reads of at most 30 s of `audio` [samples]: FP32 [bands, 3000], zeros behind the audio's end.

    Logarithms of mel bands, no more than 8 decades below the loudest, scaled to about -1…1, as OpenAI's own code does.
    """
    padded = np.zeros(_WINDOW, dtype=np.float32)
    padded[: len(audio)] = audio[:_WINDOW]
    levels = filters(RATE, _FFT, bands) @ power(padded, _FFT, _HOP)[:, :-1]
    decades = np.log10(np.maximum(levels, 1e-10))
    scaled: NDArray[np.float32] = ((np.maximum(decades, decades.max() - 8.0) + 4.0) / 4.0).astype(np.float32)
    return scaled


def windows(audio: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """`audio` [samples] in pieces of at most 30 s, cut in the quietest tenth of a second of the last five."""
    pieces = []
    while len(audio) > _WINDOW:
        tail = np.square(audio[_WINDOW - _QUIET_SEARCH : _WINDOW])
        loudness = np.convolve(tail, np.ones(_PAUSE, dtype=np.float32), mode="valid")
        end = _WINDOW - _QUIET_SEARCH + int(loudness.argmin()) + _PAUSE // 2
        pieces.append(audio[:end])
        audio = audio[end:]
    return [*pieces, audio]
