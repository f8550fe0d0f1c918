"""The conversions of the tasks whose models are graphs with something around them: open, search, lay out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import onnx
from numpy.typing import NDArray

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
from converters.tasks.finish import Served, certified, finish, write_runtime
from converters.tasks.tensor_trial import read_signature
from registry.spec import classification as classification_spec
from registry.spec import detection as detection_spec
from registry.spec import ocr as ocr_spec
from registry.spec import speech as speech_spec
from registry.spec import voice_activity as voice_activity_spec
from registry.spec.reader import Reader
from registry.spec.reader import tensors as tensors_of_pages
from registry.spec.runtime import ClassificationRuntime, DetectionRuntime, OcrRuntime, VoiceActivityRuntime

_PART = "model"
_ROWS = 64  # a request of more is split by whoever gathers requests
_PICTURES = 8  # 320 × 320 pictures of one batch
_PROBED = 4  # rows that a served model is asked before it gets traffic
_PROBED_SECONDS = 2
_CONTENTS = (
    b"#!/bin/sh\nset -e\necho 'A shell.'\n" * 4,
    b'{"name": "conch", "sound": [1, 2, 3]}\n' * 3,
    b"",
    bytes(range(256)),
)
_ALONE = 1  # what carries state, or makes one long answer, is not gathered


def convert_detection(job: Job) -> Converted:
    """A detector shaped like YOLOv8."""
    request, spec = job.request, detection_spec
    graph = _graphs(job)[_PART]
    subject = detection.open_subject(graph, job.scratch("original"), request.seed, request.threads, _own_images(job))
    found = certified(job, subject, spec.TASK)
    settings = DetectionRuntime(
        subject.settings, exact_x86=found.candidate.exact_x86, hardware_class=found.hardware_class
    )
    detector = spec.Detector.open(job.model, subject.settings, request.threads, exact_x86=settings.exact_x86)
    files = subject.smallest(_PROBED)
    outputs = spec.tensors(detector.detect([detection.picture(file) for file in files]), subject.settings.labels)
    return finish(job, found, Served(settings, spec.signature(), _PICTURES, {"image": _column(files)}, outputs))


def convert_ocr(job: Job) -> Converted:
    """PP-OCR's graphs: find lines, turn them, read them."""
    request, spec = job.request, ocr_spec
    subject = ocr.open_subject(_graphs(job), job.scratch("original"), request.seed, request.threads, _own_images(job))
    found = certified(job, subject, spec.TASK)
    settings = OcrRuntime(subject.settings, exact_x86=found.candidate.exact_x86, hardware_class=found.hardware_class)
    reader = Reader.open(job.model, subject.settings, request.threads, exact_x86=settings.exact_x86)
    file = subject.readable(reader)
    outputs = tensors_of_pages([reader.read(detection.picture(file))])
    return finish(job, found, Served(settings, spec.signature(), _ALONE, {"image": _column([file])}, outputs))


def convert_voice_activity(job: Job) -> Converted:
    """A detector of speech shaped like Silero's."""
    request, spec = job.request, voice_activity_spec
    own = uploaded.find(request.source)
    clips = audio(own, spec.RATE, request.seed) if own is not None else None
    graph = _graphs(job)[_PART]
    subject = voice_activity.open_subject(graph, job.scratch("original"), request.seed, request.threads, clips)
    found = certified(job, subject, spec.TASK)
    inputs = voice_activity.inputs_of(graph)
    settings = VoiceActivityRuntime(inputs, exact_x86=found.candidate.exact_x86, hardware_class=found.hardware_class)
    detector = spec.Detector.open(job.model, inputs, request.threads, exact_x86=settings.exact_x86)
    heard = subject.excerpt(_PROBED_SECONDS)
    outputs = {"probabilities": detector.hear(heard)[None]}
    return finish(job, found, Served(settings, spec.signature(), _ALONE, {"audio": heard[None]}, outputs))


def convert_speech(job: Job) -> Converted:
    """A Piper voice."""
    voice = speech.read_voice(job.request.source)
    own = uploaded.find(job.request.source)
    phonemes = texts(own, job.request.seed) if own is not None else None
    graph = _graphs(job)[_PART]
    request = job.request
    subject = speech.open_subject(graph, job.scratch("original"), request.seed, request.threads, voice, phonemes)
    found = certified(job, subject, speech_spec.TASK)
    settings = {
        "rate": voice.rate,
        "table": {symbol: list(ids) for symbol, ids in voice.table.items()},
        "scales": list(voice.scales),
        "inputs": list(subject.inputs),
        "seam": asdict(subject.seam) if subject.seam is not None else None,
        "exact_x86": found.candidate.exact_x86,
    }
    write_runtime(job, speech_spec.TASK, settings, found.hardware_class)
    return Converted(found.decision, found.measured, speech_spec.signature(), _ALONE)


def convert_classification(job: Job) -> Converted:
    """A classifier of files' contents by their bytes, or of its owner's own tensors."""
    spec = classification_spec
    graph = _graphs(job)[_PART]
    windows = classification.read_windows(job.request.source)
    rows = _own_rows(job, graph) if windows is None else _content_rows(job, graph, windows)
    path = job.scratch("original") / "model.onnx"
    onnx.save(graph, path)
    subject = classification.ClassificationSubject(graph, open_float(path, job.request.threads), rows)
    read = classification.read_settings(graph, windows, classification.read_labels(job.request.source, subject.labels))
    found = certified(job, subject, spec.TASK)
    settings = ClassificationRuntime(read, exact_x86=found.candidate.exact_x86, hardware_class=found.hardware_class)
    classifier = spec.Classifier.open(job.model, read, job.request.threads, exact_x86=settings.exact_x86)
    if windows is not None:
        signature, inputs = spec.signature([spec.CONTENT], subject.labels), {spec.CONTENT.name: _column(_CONTENTS)}
        outputs = classifier.classify(classifier.features(_CONTENTS))
    else:
        signature = spec.signature(read_signature(graph).inputs, subject.labels)
        inputs = dict(subject.first_rows(_PROBED))
        outputs = classifier.classify(inputs)
    return finish(job, found, Served(settings, signature, _ROWS, inputs, outputs))


def _column(elements: Sequence[bytes]) -> NDArray[np.object_]:
    """BYTES [rows, 1]."""
    column = np.empty((len(elements), 1), dtype=np.object_)
    column[:, 0] = elements
    return column


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
