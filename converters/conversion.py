"""One conversion from source to report, in the child."""

from __future__ import annotations

import importlib
from pathlib import Path

from converters.job import Converted, Job
from converters.lineage import certificate
from converters.progress import Reporter
from converters.report import ConversionReport
from converters.request import ConversionRequest
from converters.sources.detect import inspect

_CONVERSIONS = {
    "embedding": ("converters.tasks.embedding", "convert"),
    "tensor": ("converters.tasks.tensor", "convert"),
    "detection": ("converters.tasks.conversions", "convert_detection"),
    "ocr": ("converters.tasks.conversions", "convert_ocr"),
    "voice-activity": ("converters.tasks.conversions", "convert_voice_activity"),
    "speech": ("converters.tasks.conversions", "convert_speech"),
    "classification": ("converters.tasks.conversions", "convert_classification"),
    "transcription": ("converters.tasks.ladders", "convert_transcription"),
    "chat": ("converters.tasks.ladders", "convert_chat"),
}
"""Module and function of each task, imported when it is needed: `(job) -> Converted`."""


def run(
    request: ConversionRequest, output: Path, cache: Path, reporter: Reporter, isolation: list[str]
) -> ConversionReport:
    """Convert into the directory `output`, within the walls `isolation`. Raises SourceInvalid or ConversionFailed."""
    reporter.step("inspect", "checking the source files", 0.0)
    job = Job(request, inspect(request.source, request.task, request.allow_pickle), output, cache, reporter)
    job.model.mkdir()
    module, function = _CONVERSIONS[request.task]
    converted: Converted = getattr(importlib.import_module(module), function)(job)
    reporter.step("certificate", "writing the certificate", 0.98)
    paper = certificate(job, converted)
    return ConversionReport(
        certificate=paper,
        signature=converted.signature.to_json(),
        max_batch=converted.max_batch,
        model_directory=job.model,
        canonical=sorted(job.canonical.iterdir()) if job.canonical.is_dir() else [],
        probe=job.probe if job.probe.exists() else None,
        isolation=isolation,
        seconds=paper.seconds,
        peak_memory_bytes=paper.peak_memory_bytes,
    )
