"""Speech to text with one Whisper model in CTranslate2's format. Runs in Triton and in the converter."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from registry.spec.transcription import features, windows

if TYPE_CHECKING:
    from ctranslate2 import StorageView
    from ctranslate2.models import Whisper
    from tokenizers import Tokenizer

_BEAM = 5
_LEAST_LOG_PROBABILITY, _MOST_COMPRESSED, _SILENCE = -1.0, 2.4, 0.6
"""Of a token on average, a text's length over its compressed one, and the probability that nobody speaks: by these
Whisper's own code (transcribe.py of openai/whisper) takes a transcript for broken off, for a loop, and for silence."""

_MOST_TOKENS = 224  # half of the decoder's context; 30 s of fast speech are 120
_START = "<|startoftranscript|>"

ComputeType = Literal["float32", "int8_float32"]


@dataclass(frozen=True)
class Transcript:
    """What was said, and how many tokens that is."""

    text: str
    tokens: int


class Transcriber:
    """A Whisper model that is open, with features in front and its tokenizer behind."""

    def __init__(self, directory: Path, threads: int, compute_type: ComputeType, language: str = "en") -> None:
        """Open `model.bin`, `config.json`, the vocabulary and `tokenizer.json` in `directory` on the CPU.

        One language is spoken, and asked for where the model knows several: guessing it costs another run. Raises
        RuntimeError where CTranslate2 does not take the files, ValueError for an unknown language.
        """
        import ctranslate2
        from tokenizers import Tokenizer

        self._model: Whisper = ctranslate2.models.Whisper(
            str(directory), device="cpu", compute_type=compute_type, inter_threads=1, intra_threads=threads
        )
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self._prompt = self._prompt_ids(language)

    def transcribe(self, audio: NDArray[np.float32]) -> Transcript:
        """The text of `audio` FP32 [samples] at 16 kHz, window by window, decoded to the likeliest tokens."""
        parts = [self._window(piece) for piece in windows(audio)]
        return Transcript(" ".join(p.text for p in parts if p.text), sum(p.tokens for p in parts))

    def _window(self, piece: NDArray[np.float32]) -> Transcript:
        """Greedy; what fails so is decoded with a beam, as Whisper falls back to sampling, which would be random."""
        import ctranslate2

        mels = ctranslate2.StorageView.from_array(features(piece, self._model.n_mels)[None])
        encoded = self._model.encode(mels)
        transcript, fails = self._decoded(encoded, 1)
        return self._decoded(encoded, _BEAM)[0] if fails else transcript

    def _decoded(self, encoded: StorageView, beam: int) -> tuple[Transcript, bool]:
        """What is heard in an encoded window, and whether it broke off where somebody speaks, or is a loop."""
        result = self._model.generate(
            encoded,
            [self._prompt],
            beam_size=beam,
            max_length=_MOST_TOKENS,
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        ids = result.sequences_ids[0]
        text = self._tokenizer.decode(ids, skip_special_tokens=True).strip()
        log_probability = result.scores[0] * len(ids) / (len(ids) + 1)  # the end counts as a token, too
        breaks_off = log_probability < _LEAST_LOG_PROBABILITY and result.no_speech_prob <= _SILENCE
        return Transcript(text, len(ids)), breaks_off or _is_loop(text)

    def _prompt_ids(self, language: str) -> list[int]:
        symbols: Sequence[str] = (_START, "<|notimestamps|>")
        if self._model.is_multilingual:
            symbols = (_START, f"<|{language}|>", "<|transcribe|>", "<|notimestamps|>")
        ids = [self._tokenizer.token_to_id(symbol) for symbol in symbols]
        known = [found for found in ids if found is not None]
        if len(known) < len(ids):
            raise ValueError(f"the tokenizer does not know {symbols[ids.index(None)]}")
        return known


def _is_loop(text: str) -> bool:
    content = text.encode()
    return len(content) > _MOST_COMPRESSED * len(zlib.compress(content))
