"""Speech whose words are known: built-in utterances joined to clips of five to fifteen seconds, plain and disturbed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from converters.samples.speech import at_speed
from converters.samples.spoken import RATE, Utterance, digest, utterances
from converters.samples.uploaded import Uploaded
from converters.samples.uploaded_audio import Clip
from registry.spec.certificate import Data

_TOGETHER = 3  # sentences in a clip: Whisper reads 30 s whatever is said in them, so that short clips cost most
_GAP = round(0.35 * RATE)
_DISTURBED = ((1.0, None), (0.94, 40.0), (1.06, 40.0), (0.97, 30.0), (1.03, 30.0))
"""Speed, and dB of speech over noise: the more there is of a text, the less one word decides."""
_CHOSEN_BY = 2  # of them, for data that nothing is certified on
_CLIP_SECONDS = 30  # of an owner's longer clips the rest is left out


@dataclass(frozen=True)
class Spoken:
    """The same words in one or several recordings FP32 [samples] at 16 kHz; `text` is None where nobody wrote it."""

    text: str | None
    audio: tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class Speech:
    """What is to be transcribed, and where it comes from."""

    spoken: tuple[Spoken, ...]
    description: str

    def data(self) -> Data:
        """As the certificate names it."""
        parts = [audio for entry in self.spoken for audio in entry.audio]
        return Data(description=self.description, samples=len(parts), sha256=digest(parts))


def built_in(split: str, seed: int) -> Speech:
    """The utterances of `split`, three of one voice after another; held-out ones at five speeds, in noise."""
    rng = np.random.default_rng([seed, *f"transcribed {split}".encode()])
    found = sorted(utterances(split), key=lambda utterance: utterance.voice)
    versions = _DISTURBED if split == "held out" else _DISTURBED[:_CHOSEN_BY]
    spoken: list[Spoken] = []
    for _, same in groupby(found, key=lambda utterance: utterance.voice):
        voice = list(same)
        spoken += [_joined(voice[at : at + _TOGETHER], versions, rng) for at in range(0, len(voice), _TOGETHER)]
    voices = ", ".join(sorted({utterance.voice for utterance in found}))
    return Speech(
        tuple(spoken), f"Synthetic speech of English prose (voices: {voices}), each at {len(versions)} speeds, in noise"
    )


def own(clips: Uploaded[Clip]) -> Speech:
    """An owner's clips, at most 30 s of each: what they say is what the original hears."""
    return Speech(
        tuple(Spoken(None, (clip.samples[: _CLIP_SECONDS * RATE],)) for clip in clips.items), clips.description
    )


def _joined(
    members: list[Utterance], versions: Sequence[tuple[float, float | None]], rng: np.random.Generator
) -> Spoken:
    gap = np.zeros(_GAP, dtype=np.float32)
    plain = np.concatenate([part for utterance in members for part in (utterance.audio, gap)])
    audio = tuple(_disturbed(plain, speed, snr, rng) for speed, snr in versions)
    return Spoken(" ".join(utterance.text for utterance in members), audio)


def _disturbed(
    plain: NDArray[np.float32], speed: float, snr: float | None, rng: np.random.Generator
) -> NDArray[np.float32]:
    audio = plain if speed == 1 else at_speed(plain, speed)
    if snr is None:
        return audio
    noise = rng.standard_normal(len(audio)).astype(np.float32)
    loudness = np.sqrt(np.square(audio).mean())
    return audio + noise * np.float32(loudness * 10 ** (-snr / 20))
