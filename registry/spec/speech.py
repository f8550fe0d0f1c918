"""The task `speech`: a phonetic transcription in, audio out, billed by the character.

Signature: input `phonemes` BYTES [1], IPA as espeak-ng writes it, output `audio` FP32 [samples] at the rate of the
voice, both behind one batch dimension. The graphs are Piper's: a VITS voice with the inputs `input`, `input_lengths`
and `scales` (noise, length, noise of the durations), from phoneme ids to samples.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.spec.session import Feeds, Session
from registry.spec.signature import DataType, Signature, TensorSpec
from registry.spec.task import Criterion, Modality, Task, Unit

TASK = Task(
    name="speech",
    title="Text to speech",
    input=Modality.TEXT,
    output=Modality.AUDIO,
    units=(
        Unit("characters", billed=True, meaning="characters of the phonetic transcription that the voice knows"),
        Unit("audio_milliseconds", billed=False, meaning="how long the audio is"),
    ),
    criteria=(
        Criterion(
            "mel_distance",
            "mean difference in dB of 80 mel bands, down to 60 dB below the loudest, both spoken without noise",
            3.0,  # Piper in INT8, heard as well as in FP32, is at 1.5 to 2 with what is spoken; silence at 12
            higher_is_better=False,
        ),
        Criterion("length_change", "how much longer or shorter the audio is", 0.05, higher_is_better=False),
    ),
)

QUIET = (0.0, 1.0, 0.0)
"""Scales without noise: the same phonemes are the same samples, so that two voices can be compared."""

TEXT, VOICE, WHOLE = "text", "voice", "model"
"""The parts of a voice: phonemes to their durations, durations to samples; or both in one graph."""

_START, _END, _PAD = "^", "$", "_"


def signature() -> Signature:
    """The public signature of a speech model."""
    return Signature(
        inputs=(TensorSpec("phonemes", DataType.BYTES, (1,)),),
        outputs=(TensorSpec("audio", DataType.FP32, (-1,)),),
    )


@dataclass(frozen=True)
class Voice:
    """What a Piper voice's JSON file says: samples per second, ids of each phoneme, and its usual scales."""

    rate: int
    table: Mapping[str, tuple[int, ...]]
    scales: tuple[float, float, float]

    def ids(self, phonemes: str) -> NDArray[np.int64]:
        """Ids INT64 [length]: start, then every known symbol, each behind it the padding, then end (as Piper does)."""
        pad = self.table.get(_PAD, (0,))
        found = [*self.table.get(_START, (1,)), *pad]
        for symbol in self.known(phonemes):
            found += [*self.table[symbol], *pad]
        return np.array([*found, *self.table.get(_END, (2,))], dtype=np.int64)

    def known(self, phonemes: str) -> list[str]:
        """The symbols of `phonemes` that the voice was trained with: these are spoken, and billed."""
        special = {_START, _END, _PAD}
        return [s for s in unicodedata.normalize("NFD", phonemes) if s in self.table and s not in special]


@dataclass(frozen=True)
class Seam:
    """Where a voice is cut in two: the values that the first part hands to the second, and what both take."""

    carried: tuple[str, ...]
    shared: tuple[str, ...]


@dataclass(frozen=True)
class Speaker:
    """The open graphs of a voice; `seam` is None where the voice is one graph. `inputs` are those of the whole."""

    model: Mapping[str, Session]
    inputs: tuple[str, ...]
    seam: Seam | None

    def speak(self, ids: NDArray[np.int64], scales: tuple[float, float, float]) -> NDArray[np.float32]:
        """Audio FP32 [samples] of phoneme ids INT64 [length]."""
        first = self.feeds(ids, scales)
        if self.seam is None:
            (audio,) = self.model[WHOLE].run(None, first)
        else:
            (audio,) = self.model[VOICE].run(None, self.carry(first))
        flat: NDArray[np.float32] = audio.reshape(-1)
        return flat

    def feeds(self, ids: NDArray[np.int64], scales: tuple[float, float, float]) -> Feeds:
        """The inputs of the whole voice, or of its first part; of several speakers the first one speaks."""
        known: dict[str, NDArray[Any]] = {
            "input": ids[None],
            "input_lengths": np.array([len(ids)], dtype=np.int64),
            "scales": np.array(scales, dtype=np.float32),
            "sid": np.zeros(1, dtype=np.int64),
        }
        return {name: known[name] for name in self.inputs}

    def carry(self, first: Feeds) -> Feeds:
        """The inputs of the second part, from a run of the first on `first`."""
        assert self.seam is not None, "a voice of one graph has no second part"
        values = self.model[TEXT].run(list(self.seam.carried), first)
        shared = {name: first[name] for name in self.seam.shared}
        return {**shared, **dict(zip(self.seam.carried, values, strict=True))}
