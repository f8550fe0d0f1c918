"""Recordings with speech in them and without: built-in utterances among silence and noise, mixed by seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from converters.samples.spoken import RATE, Utterance, digest, utterances
from converters.samples.uploaded import Uploaded
from converters.samples.uploaded_audio import Clip
from registry.spec.certificate import Data

SECONDS = 12.288  # 384 frames of 512 samples: no recording ends within a frame

_SAMPLES = round(SECONDS * RATE)
_SPEEDS = (0.88, 1.0, 1.14)  # the pitch goes with it: other voices
_GAPS = (0.15, 2.5)  # seconds between utterances
_SILENT = 6  # every sixth recording has no speech: false alarms count as much as misses
_SNR_DB = (50.0, 20.0, 12.0, 6.0, 0.0)
_LEVELS_DB = (-30.0, 0.0)


@dataclass(frozen=True)
class Recordings:
    """FP32 [samples] each, of one channel at 16 kHz, and where they come from."""

    audio: tuple[NDArray[np.float32], ...]
    description: str

    def data(self) -> Data:
        """As the certificate names them."""
        return Data(description=self.description, samples=len(self.audio), sha256=digest(list(self.audio)))


def recordings(split: str, seed: int, count: int) -> Recordings:
    """`count` recordings of 12.288 s. The same arguments give the same samples; no utterance is in two splits.

    They are mixed here, by seed, and lie nowhere: no clip that an owner calibrates with is among them.
    """
    rng = np.random.default_rng([seed, *split.encode()])
    spoken = utterances(split)
    audio = tuple(_recording(spoken, rng, silent=number % _SILENT == _SILENT - 1) for number in range(count))
    voices = ", ".join(sorted({utterance.voice for utterance in spoken}))
    return Recordings(
        audio, f"Synthetic speech (voices: {voices}) among silence, noise, hum and tones, 12 s each, down to 0 dB SNR"
    )


def _recording(spoken: list[Utterance], rng: np.random.Generator, *, silent: bool) -> NDArray[np.float32]:
    speech = np.zeros(_SAMPLES, np.float32) if silent else _speech(spoken, rng)
    noise = _noise(rng)
    loudness = float(np.sqrt(np.square(speech[speech != 0]).mean())) if speech.any() else 0.1
    snr = rng.choice(_SNR_DB)
    mixed = speech + noise * np.float32(loudness * 10 ** (-snr / 20))
    level = 10 ** (rng.uniform(*_LEVELS_DB) / 20)
    peak = max(float(np.abs(mixed).max()), 1e-6)
    scaled: NDArray[np.float32] = (mixed * np.float32(0.9 * level / peak)).astype(np.float32)
    return scaled


def _speech(spoken: list[Utterance], rng: np.random.Generator) -> NDArray[np.float32]:
    track = np.zeros(_SAMPLES, dtype=np.float32)
    at = round(rng.uniform(*_GAPS) * RATE)
    while at < _SAMPLES:
        utterance = spoken[rng.integers(len(spoken))]
        audio = at_speed(utterance.audio, rng.choice(_SPEEDS))[: _SAMPLES - at]
        track[at : at + len(audio)] = audio
        at += len(audio) + round(rng.uniform(*_GAPS) * RATE)
    return track


def at_speed(audio: NDArray[np.float32], speed: float) -> NDArray[np.float32]:
    """Linear interpolation: what it adds is far below the noise, and it takes a twentieth of the time of a filter."""
    places = np.arange(0, len(audio) - 1, speed)
    return np.interp(places, np.arange(len(audio)), audio).astype(np.float32)


def _noise(rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise of a spectrum that falls by 0 to 9 dB an octave, at times with the mains' hum or a passing tone; RMS 1."""
    spectrum = np.fft.rfft(rng.standard_normal(_SAMPLES))
    slope = rng.choice((0.0, 0.5, 1.0, 1.5))
    frequencies = np.maximum(np.fft.rfftfreq(_SAMPLES, 1 / RATE), 20.0)
    noise = np.fft.irfft(spectrum * frequencies**-slope, _SAMPLES)
    noise /= np.sqrt(np.square(noise).mean())
    for other in (_hum, _tones):
        if rng.random() < 1 / 3:
            noise += other(rng)
    normal: NDArray[np.float32] = (noise / np.sqrt(np.square(noise).mean())).astype(np.float32)
    return normal


def _hum(rng: np.random.Generator) -> NDArray[np.float64]:
    time = np.arange(_SAMPLES) / RATE
    mains = rng.choice((50.0, 60.0))
    hum: NDArray[np.float64] = sum(np.sin(2 * np.pi * mains * k * time) / k for k in range(1, 8)) + 0.0 * time
    return hum


def _tones(rng: np.random.Generator) -> NDArray[np.float64]:
    """Notes of a quarter to a whole second, with overtones: what is voiced, and no voice."""
    track = np.zeros(_SAMPLES)
    at = 0
    while at < _SAMPLES:
        length = min(round(rng.uniform(0.25, 1.0) * RATE), _SAMPLES - at)
        time = np.arange(length) / RATE
        pitch = rng.uniform(110, 880)
        envelope = np.minimum(1.0, 20 * time) * np.exp(-3 * time)
        track[at : at + length] = envelope * sum(np.sin(2 * np.pi * pitch * k * time) / k for k in (1, 2, 3))
        at += length
    return track


def own_recordings(clips: Uploaded[Clip]) -> Recordings:
    """An owner's clips at 16 kHz in pieces of at most 12.288 s; what is left of a longer clip is left out."""
    pieces = [
        clip.samples[start : start + _SAMPLES]
        for clip in clips.items
        for start in range(0, max(1, len(clip.samples) - _SAMPLES + 1), _SAMPLES)
    ]
    return Recordings(tuple(pieces), clips.description)
