"""Chat models: a decoder out of GGUF or a Hugging Face directory, for onnxruntime-genai with weights in few bits.

The reference is what torch makes of the weights in FP32; of a GGUF file whose weights are quantized, of what they stand
for. INT8 is held to the task's criteria, INT4 is measured like it and offered with its own figures, and float is held
to them where INT8 is not published.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters.chat import gguf_file
from converters.chat.build import build
from converters.chat.decoder import MOST_TOKENS
from converters.chat.original import read_original
from converters.chat.workshop import Workshop
from converters.errors import SourceInvalid
from converters.job import Job
from converters.samples import uploaded, uploaded_text
from converters.samples.conversations import CALIBRATION, conversations
from converters.samples.text import Texts
from converters.search.journal import Journal
from converters.sources.detect import detect
from converters.sources.facts import Format
from converters.steps import accuracy
from converters.subject import Split
from converters.tasks import attempts
from converters.tasks.chat_ladder import ChatConverted, Ladder, Tokens
from converters.tasks.own_texts import with_own
from registry.spec.chat import TASK, Reading
from registry.spec.text import TextEncoder

_Kept = tuple[list[float], list[int]]
"""A reading in the journal."""


def convert(job: Job) -> ChatConverted:
    """Convert the decoder of `job`; everything is written below its scratch directory `chat`.

    Raises SourceInvalid or ConversionFailed.
    """
    limits = accuracy.bounds(TASK, job.request.budget)  # refused before anything is done
    work = job.scratch("chat")
    texts = _texts(job)
    journal = attempts.journal(job, [found.data() for found in texts.values()])
    job.reporter.step("unpack", "reading the weights in FP32", 0.02)
    unpacked = _unpacked(job.request.source, _made(work / "float32"))
    job.reporter.step("export", "exporting the decoder to ONNX", 0.08)
    floating = _made(work / "float")
    build(unpacked, floating, work / "builder")
    tokens = _tokens(TextEncoder(floating / "tokenizer.json", MOST_TOKENS), texts)
    references = _references(job, journal, unpacked, tokens)
    shutil.rmtree(work / "float32")
    workshop = Workshop(floating, work, tokens[CALIBRATION], job.request.threads)
    data = {name: found.data() for name, found in texts.items()}
    return Ladder(job, journal, workshop, limits, tokens, references, data).run()


def _texts(job: Job) -> dict[str, Texts]:
    own, seed = uploaded.find(job.request.source), job.request.seed
    return with_own(lambda: conversations(seed), uploaded_text.texts(own, seed) if own is not None else None)


def _references(job: Job, journal: Journal, unpacked: Path, tokens: Tokens) -> dict[str, list[Reading]]:
    """What torch makes of the texts that recipes are chosen by and judged on."""
    texts = [row for split in Split for row in tokens[split]]

    def read() -> list[_Kept]:
        job.reporter.step("reference", f"reading {len(texts)} texts with the original in FP32", 0.15)
        readings = read_original(unpacked, texts, job.request.threads)
        return [(reading.surprise.tolist(), reading.first.tolist()) for reading in readings]

    kept = iter(journal.once("reference", list[_Kept], read))
    return {
        split: [Reading(np.array(surprise), np.array(first)) for surprise, first in islice(kept, len(tokens[split]))]
        for split in Split
    }


def _unpacked(source: Path, target: Path) -> Path:
    """A Hugging Face directory with the decoder in `source`."""
    form, path = detect(source)
    if form is not Format.GGUF:
        return source
    gguf_file.unpack(path, target)
    return target


def _tokens(encoder: TextEncoder, texts: Mapping[str, Texts]) -> dict[str, list[NDArray[np.int64]]]:
    """Raises SourceInvalid where the texts of a purpose are too short to be read."""
    found = {}
    for name, of_purpose in texts.items():
        rows = [np.array(tokens.ids, dtype=np.int64) for tokens in encoder.encode(list(of_purpose.texts))]
        found[name] = [row for row in rows if len(row) > 1]
        if not found[name]:
            raise SourceInvalid(
                "The calibration texts are of one token each, after which nothing follows that could be read.",
                "Upload conversations and prose as the model will read them.",
            )
    return found


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory
