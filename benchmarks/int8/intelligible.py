"""Whether a voice in INT8 is understood as well as in FP32: both speak, Whisper in FP32 writes, words are compared."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from benchmarks.int8.samples import MODELS
from converters.samples.resample import resample
from converters.samples.spoken import sentences
from converters.tasks import speech
from registry.spec.session import Session, open_graph
from registry.spec.speech import QUIET, Speaker
from registry.spec.transcriber import Transcriber
from registry.spec.transcription import RATE
from registry.spec.word_error import errors, words

_SENTENCES = 40


@dataclass(frozen=True)
class Intelligibility:
    """Words of the held-out sentences that the transcriber gets wrong, of each voice, and how many there are."""

    said: int
    wrong_float: int
    wrong_int8: int
    changed: int


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
            Speaker(_opened(subject, Path(scratch), None), subject.inputs, subject.seam),
            Speaker(_opened(subject, Path(scratch), directory), subject.inputs, subject.seam),
        ]
        transcriber = Transcriber(whisper, 1, "float32")
        said = wrong_float = wrong_int8 = changed = 0
        for sentence in sentences("held out")[:_SENTENCES]:
            audio = [speaker.speak(voice.ids(sentence.phonemes), QUIET) for speaker in speakers]
            true = words(sentence.text)
            heard = [
                words(transcriber.transcribe(resample(a.astype(np.float32), voice.rate, RATE)).text) for a in audio
            ]
            said += len(true)
            wrong_float += errors(true, heard[0])
            wrong_int8 += errors(true, heard[1])
            changed += errors(heard[0], heard[1])
    return Intelligibility(said, wrong_float, wrong_int8, changed)


def _opened(subject: speech.SpeechSubject, scratch: Path, directory: Path | None) -> dict[str, Session]:
    """The float graphs of the subject, or those that serve in `directory`."""
    place = scratch / "float" if directory is None else directory
    if directory is None:
        place.mkdir()
        for part, graph in subject.graphs.items():
            onnx.save(graph, place / f"{part}.onnx")
    return {part: open_graph(place, part, 1, exact_x86=False) for part in subject.graphs}
