"""The conversions of the tasks whose models are graphs with something around them: open, search, lay out."""

from __future__ import annotations

from dataclasses import asdict

import onnx

from converters.errors import SourceInvalid
from converters.job import Converted, Job
from converters.samples import uploaded
from converters.samples.split import LEAST, Part
from converters.samples.uploaded_audio import audio
from converters.samples.uploaded_contents import files
from converters.samples.uploaded_images import images
from converters.samples.uploaded_tensors import tensors
from converters.samples.uploaded_text import texts
from converters.sources.graphs import load_graphs
from converters.steps.run import open_float
from converters.tasks import classification, detection, ocr, speech, voice_activity
from converters.tasks.finish import certified
from converters.tasks.tensor_trial import read_signature
from registry.spec import classification as classification_spec
from registry.spec import detection as detection_spec
from registry.spec import ocr as ocr_spec
from registry.spec import speech as speech_spec
from registry.spec import voice_activity as voice_activity_spec

_PART = "model"
_ROWS = 64  # a request of more is split by whoever gathers requests
_PICTURES = 8  # 320 × 320 pictures of one batch
_ALONE = 1  # what carries state, or makes one long answer, is not gathered


def convert_detection(job: Job) -> Converted:
    """A detector shaped like YOLOv8."""
    request = job.request
    graph = _graphs(job)[_PART]
    subject = detection.open_subject(graph, job.scratch("original"), request.seed, request.threads, _own_images(job))
    spec = detection_spec
    return certified(job, subject, spec.TASK, asdict(subject.settings), spec.signature(), _PICTURES)


def convert_ocr(job: Job) -> Converted:
    """PP-OCR's graphs: find lines, turn them, read them."""
    request = job.request
    subject = ocr.open_subject(_graphs(job), job.scratch("original"), request.seed, request.threads, _own_images(job))
    return certified(job, subject, ocr_spec.TASK, asdict(subject.settings), ocr_spec.signature(), _ALONE)


def convert_voice_activity(job: Job) -> Converted:
    """A detector of speech shaped like Silero's."""
    own = uploaded.find(job.request.source)
    clips = audio(own, voice_activity_spec.RATE, job.request.seed) if own is not None else None
    graph = _graphs(job)[_PART]
    subject = voice_activity.open_subject(graph, job.scratch("original"), job.request.seed, job.request.threads, clips)
    settings = {"inputs": list(voice_activity.inputs_of(graph)), "rate": voice_activity_spec.RATE}
    spec = voice_activity_spec
    return certified(job, subject, spec.TASK, settings, spec.signature(), _ALONE)


def convert_speech(job: Job) -> Converted:
    """A Piper voice."""
    voice = speech.read_voice(job.request.source)
    own = uploaded.find(job.request.source)
    phonemes = texts(own, job.request.seed) if own is not None else None
    graph = _graphs(job)[_PART]
    request = job.request
    subject = speech.open_subject(graph, job.scratch("original"), request.seed, request.threads, voice, phonemes)
    settings = {
        "rate": voice.rate,
        "table": {symbol: list(ids) for symbol, ids in voice.table.items()},
        "scales": list(voice.scales),
        "inputs": list(subject.inputs),
        "seam": asdict(subject.seam) if subject.seam is not None else None,
    }
    return certified(job, subject, speech_spec.TASK, settings, speech_spec.signature(), _ALONE)


def convert_classification(job: Job) -> Converted:
    """A classifier of files' contents by their bytes, or of its owner's own tensors."""
    graph = _graphs(job)[_PART]
    windows = classification.read_windows(job.request.source)
    rows = _own_rows(job, graph) if windows is None else _content_rows(job, graph, windows)
    path = job.scratch("original") / "model.onnx"
    onnx.save(graph, path)
    subject = classification.ClassificationSubject(graph, open_float(path, job.request.threads), rows)
    settings = {
        "labels": list(classification.read_labels(job.request.source)),
        "windows": asdict(windows) if windows is not None else None,
    }
    return certified(job, subject, classification_spec.TASK, settings, read_signature(graph), _ROWS)


def _graphs(job: Job) -> dict[str, onnx.ModelProto]:
    job.reporter.step("load", "opening the original model", 0.05)
    return load_graphs(job.request.source, job.facts, job.request.threads)


def _own_images(job: Job) -> list[bytes] | None:
    own = uploaded.find(job.request.source)
    return None if own is None else [image.encoded for image in images(own, job.request.seed).items]


def _content_rows(
    job: Job, graph: onnx.ModelProto, windows: classification_spec.ByteWindows
) -> dict[str, classification.Rows]:
    """What a reader of bytes reads of the owner's files or of built-in ones."""
    own, seed = uploaded.find(job.request.source), job.request.seed
    contents = files(own, seed, windows.block) if own is not None else None
    return classification.content_rows(graph, windows, seed, contents)


def _own_rows(job: Job, graph: onnx.ModelProto) -> dict[str, classification.Rows]:
    """The owner's tensors for all three purposes. Raises SourceInvalid where there are too few of them."""
    own = uploaded.find(job.request.source)
    rows = tensors(own, read_signature(graph), job.request.seed) if own is not None else None
    if rows is None or not rows.judges:
        raise SourceInvalid(
            "The classifier does not read the bytes of files, and there is nothing to calibrate and judge it with.",
            f"Upload {LEAST} rows or more of its inputs: calibration.jsonl, .parquet or .zip.",
        )
    parts = {part.value: rows.part(part) for part in Part}
    return {part: classification.Rows.of(found.items, found.data()) for part, found in parts.items()}
