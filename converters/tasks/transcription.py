"""Whisper in CTranslate2's format, as its ladder sees it: speech in, words compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converters.errors import SourceInvalid
from converters.samples.split import LEAST, Part
from converters.samples.transcribed import Speech, built_in, own
from converters.samples.uploaded import Uploaded
from converters.samples.uploaded_audio import Clip
from converters.subject import Figure, Load, Sample, Split
from registry.spec.certificate import Data
from registry.spec.transcriber import ComputeType, Transcriber, Transcript
from registry.spec.transcription import RATE
from registry.spec.word_error import errors, words

TOKENIZER = "tokenizer.json"
PART = "model"

_LOAD_SECONDS = 8


Heard = list[list[Transcript]]
"""What was heard in each recording of each text."""


class TranscriptionSubject:
    """The model as it was handed in, and the speech that candidates are judged on."""

    def __init__(self, original: Transcriber, speech: Mapping[Split, Speech]) -> None:
        self.original = original
        self._speech = speech

    @property
    def data(self) -> Mapping[str, Data]:
        """The speech of each purpose. Nothing is calibrated: CTranslate2 scales activations as they come."""
        return {split.value: speech.data() for split, speech in self._speech.items()}

    @property
    def loads(self) -> tuple[Load, ...]:
        """One clip of the selection data, nearest to 8 s: encoder, and decoder to the last word."""
        clips = [entry.audio[0] for entry in self._speech[Split.SELECTION].spoken]
        clip = min(clips, key=lambda audio: abs(len(audio) - _LOAD_SECONDS * RATE))
        return (Load(f"{len(clip) / RATE:.1f} s of speech", (Sample(PART, {"audio": clip}),)),)

    def heard(self, transcriber: Transcriber, split: Split) -> Heard:
        """What a model makes of the speech of `split`."""
        return [[transcriber.transcribe(audio) for audio in entry.audio] for entry in self._speech[split].spoken]

    def judge(self, before: Heard, after: Heard, split: Split) -> list[Figure]:
        """`word_error_added` and `words_changed`, one value for each text in all its recordings, weighted by words.

        `before` is what the original heard in the speech of `split`, `after` what the candidate did.
        """
        said = [entry.text for entry in self._speech[split].spoken]
        return figures([_counts(*entry) for entry in zip(said, before, after, strict=True)])


@dataclass(frozen=True)
class Counts:
    """Words of one text over its recordings: said, wrong in the original and in the candidate; heard, and changed."""

    said: int
    wrong_before: int
    wrong_after: int
    heard: int
    changed: int


def figures(counts: Sequence[Counts]) -> list[Figure]:
    """The task's criteria over texts."""
    said = np.array([c.said for c in counts], dtype=np.float64)
    heard = np.array([c.heard for c in counts], dtype=np.float64)
    added = np.array([c.wrong_after - c.wrong_before for c in counts], dtype=np.float64)
    changed = np.array([c.changed for c in counts], dtype=np.float64)
    return [
        Figure("word_error_added", added / np.maximum(said, 1), np.maximum(said, 1)),
        Figure("words_changed", changed / np.maximum(heard, 1), np.maximum(heard, 1)),
    ]


def _counts(text: str | None, before: list[Transcript], after: list[Transcript]) -> Counts:
    """Where nobody wrote down what was said, it is what the original hears: then every change is an error."""
    pairs = [(words(one.text), words(other.text)) for one, other in zip(before, after, strict=True)]
    said = [words(text) if text is not None else one for one, _ in pairs]
    return Counts(
        said=sum(map(len, said)),
        wrong_before=sum(errors(true, one) for true, (one, _) in zip(said, pairs, strict=True)),
        wrong_after=sum(errors(true, other) for true, (_, other) in zip(said, pairs, strict=True)),
        heard=sum(len(one) for one, _ in pairs),
        changed=sum(errors(one, other) for one, other in pairs),
    )


def open_subject(source: Path, seed: int, threads: int, clips: Uploaded[Clip] | None = None) -> TranscriptionSubject:
    """The subject of the model in `source`, judged on built-in speech or on the owner's.

    Raises SourceInvalid where CTranslate2 does not take the model, and for clips that are too few to judge by.
    """
    if clips is None:
        speech = {split: built_in(split.value, seed) for split in Split}
    elif clips.judges:
        speech = {split: own(clips.part(Part(split.value))) for split in Split}
    else:
        raise SourceInvalid(
            f"There are {len(clips.items)} clips of speech, too few to judge by, and nothing of a transcription model "
            "is calibrated: CTranslate2 scales activations as they come.",
            f"Upload {LEAST} different clips or more, or none.",
        )
    return TranscriptionSubject(opened(source, threads, "float32"), speech)


def opened(directory: Path, threads: int, compute_type: ComputeType) -> Transcriber:
    """The model in `directory`, open. Raises SourceInvalid where CTranslate2 does not take it."""
    remedy = (
        "Convert the model again with ct2-transformers-converter --copy_files tokenizer.json, and upload all files."
    )
    if not (directory / TOKENIZER).is_file():
        raise SourceInvalid(f"{TOKENIZER} is missing.", remedy)
    try:
        return Transcriber(directory, threads, compute_type)
    except (RuntimeError, ValueError) as error:
        raise SourceInvalid(f"CTranslate2 cannot open the model: {str(error)[:200]}.", remedy) from error
