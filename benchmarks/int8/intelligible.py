"""Whether a voice in INT8 is understood as well as in FP32: both speak, Whisper in FP32 writes, words are compared."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from benchmarks.int8.samples import MODELS
from converters.samples.spoken import sentences
from converters.tasks import speech
from registry.spec.audio import resample
from registry.spec.session import Session, open_graph
from registry.spec.speech import QUIET, Speaker
from registry.spec.transcriber import Transcriber
from registry.spec.transcription import RATE
from registry.spec.word_error import errors, words

_SENTENCES = 40


@dataclass(frozen=True)
class Intelligibility:
    """Words of the held-out sentences that the transcriber gets wrong, of each voice, and how many there are.

    `changed` is how many it hears differently of the two voices, `changed_by_rounding` of the original and of the
    original in 16 bits, as every WAV file has it: what a difference that nobody hears makes to the transcriber.
    """

    said: int
    wrong_original: int
    wrong_served: int
    changed: int
    changed_by_rounding: int


def measure(directory: Path) -> Intelligibility:
    """Let the voice in `directory` and the original speak the held-out sentences."""
    with tempfile.TemporaryDirectory(prefix="conch-bench-voice-") as scratch:
        voice_files, whisper = Path(scratch) / "voice", Path(scratch) / "whisper"
        MODELS["piper"].stage(voice_files)
        MODELS["whisper"].stage(whisper)
        voice = speech.read_voice(voice_files)
        graph = onnx.load(voice_files / "model.onnx")
        subject = speech.open_subject(graph, Path(scratch), 0, 1, voice)
        speakers = [
            Speaker(_original(subject, Path(scratch) / "float"), subject.inputs, subject.seam),
            Speaker(_served(subject, directory), subject.inputs, subject.seam),
        ]
        transcriber = Transcriber(whisper, 1, "float32")
        counts = np.zeros(5, dtype=np.int64)
        for sentence in sentences("held out")[:_SENTENCES]:
            original, served = (speaker.speak(voice.ids(sentence.phonemes), QUIET) for speaker in speakers)
            true = words(sentence.text)
            first, second, rounded = (
                words(transcriber.transcribe(resample(audio, voice.rate, RATE)).text)
                for audio in (original, served, _in_16_bits(original))
            )
            pairs = ((true, first), (true, second), (first, second), (first, rounded))
            counts += (len(true), *(errors(*pair) for pair in pairs))
    return Intelligibility(*counts.tolist())


def _original(subject: speech.SpeechSubject, place: Path) -> dict[str, Session]:
    place.mkdir()
    for part, graph in subject.graphs.items():
        onnx.save(graph, place / f"{part}.onnx")
    return {part: open_graph(place, part, 1, exact_x86=False) for part in subject.graphs}


def _served(subject: speech.SpeechSubject, directory: Path) -> dict[str, Session]:
    exact = json.loads((directory / "runtime.json").read_text())["exact_x86"]
    return {part: open_graph(directory, part, 1, exact_x86=exact) for part in subject.graphs}


def _in_16_bits(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.rint(audio * 32767).astype(np.float32) / np.float32(32767)
