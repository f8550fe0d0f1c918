"""Voice activity inside Triton: audio in, the probability of speech in each frame out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.spec.audio import MOST_SECONDS
from registry.spec.runtime import VoiceActivityRuntime
from registry.spec.task import USAGE_OUTPUT
from registry.spec.voice_activity import RATE, Detector
from triton_repo.runtime.adapter import InvalidRows, Tensors


class VoiceActivityAdapter:
    """`audio` FP32 [rows, samples] to `probabilities` FP32 [rows, frames], and `conch_usage` INT64 [rows, 1].

    Triton batches only requests of equal length. A row's usage is its seconds, a begun one counted whole.
    """

    def __init__(self, directory: Path, settings: VoiceActivityRuntime, threads: int) -> None:
        self._detector = Detector.open(directory, settings.inputs, threads, exact_x86=settings.exact_x86)
        self._detector.hear(np.zeros(RATE, dtype=np.float32))  # the first run is slow; a tenant's shall not be

    def accept(self, inputs: Tensors) -> NDArray[np.float32]:
        """The request's audio. Raises InvalidRows where it is empty, too long or not finite."""
        audio: NDArray[np.float32] = inputs["audio"]
        if not 1 <= audio.shape[1] <= MOST_SECONDS * RATE:
            raise InvalidRows(f"The audio has {audio.shape[1]} samples. Send 1 to {MOST_SECONDS * RATE} of them.")
        if not np.isfinite(audio).all():
            raise InvalidRows("The audio has samples that are not finite numbers. Send numbers from -1 to 1.")
        return audio

    def run(self, accepted: list[NDArray[Any]]) -> Tensors:
        """Listen to the rows of all requests, one after the other: each carries a state of its own."""
        rows = np.concatenate(accepted)
        seconds = -(-rows.shape[1] // RATE)
        return {
            "probabilities": np.stack([self._detector.hear(row) for row in rows]),
            USAGE_OUTPUT: np.full((len(rows), 1), seconds, dtype=np.int64),
        }
