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

_MODULES = {
    "embedding": "converters.tasks.embedding",
    "tensor": "converters.tasks.tensor",
}
"""The module of each task, imported when it is needed: `convert(job) -> Converted`."""


def run(
    request: ConversionRequest, output: Path, cache: Path, reporter: Reporter, isolation: list[str]
) -> ConversionReport:
    """Convert into the directory `output`, within the walls `isolation`. Raises SourceInvalid or ConversionFailed."""
    reporter.step("inspect", "checking the source files", 0.0)
    job = Job(request, inspect(request.source, request.task, request.allow_pickle), output, cache, reporter)
    job.model.mkdir()
    converted: Converted = importlib.import_module(_MODULES[request.task]).convert(job)
    reporter.step("certificate", "writing the certificate", 0.98)
    paper = certificate(job, converted)
    return ConversionReport(
        certificate=paper,
        signature=converted.signature.to_json(),
        max_batch=converted.max_batch,
        model_directory=job.model,
        canonical=sorted(job.canonical.iterdir()) if job.canonical.is_dir() else [],
        probe=job.probe,
        isolation=isolation,
        seconds=paper.seconds,
        peak_memory_bytes=paper.peak_memory_bytes,
    )
