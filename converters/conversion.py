"""One conversion from source to report, in the child."""

from __future__ import annotations

import shutil
from pathlib import Path

from converters.job import Job, certificate
from converters.progress import Reporter
from converters.report import ConversionReport
from converters.request import ConversionRequest
from converters.sandbox import peak_memory_bytes
from converters.sources.detect import inspect
from registry.spec.certificate import Precision
from registry.spec.embedding import TASK as EMBEDDING


def run(request: ConversionRequest, output: Path, reporter: Reporter, isolation: list[str]) -> ConversionReport:
    """Convert into the directory `output`, within the walls `isolation`. Raises SourceInvalid or ConversionFailed."""
    reporter.step("inspect", "checking the source files", 0.0)
    job = Job(request, inspect(request.source, request.task), output, reporter)
    job.model.mkdir()
    if request.task == EMBEDDING.name:
        from converters import embedding

        converted = embedding.convert(job)
    else:
        from converters import tensor

        converted = tensor.convert(job)
    reporter.step("certificate", "writing the certificate", 0.98)
    if converted.decision.precision is not Precision.INT8:
        shutil.rmtree(job.canonical, ignore_errors=True)
    return ConversionReport(
        certificate=certificate(job, converted),
        signature=converted.signature.to_json(),
        max_batch=converted.max_batch,
        model_directory=job.model,
        canonical=job.canonical / "model.onnx" if job.canonical.is_dir() else None,
        probe=job.probe,
        isolation=isolation,
        seconds=round(reporter.elapsed, 3),
        peak_memory_bytes=peak_memory_bytes(),
    )
