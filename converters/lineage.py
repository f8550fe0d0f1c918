"""Digests of what went in and of what came out, and the certificate that carries them."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from converters.job import Converted, Job
from converters.request import ConversionRequest
from converters.sandbox import peak_memory_bytes
from registry.spec.certificate import Certificate, Engine, Hardware, Lineage
from registry.spec.hardware import hardware_class, processor

_VERSIONS = (
    *("conch", "ctranslate2", "numpy", "onnx", "onnxruntime", "onnxruntime-genai", "onnxscript", "openvino"),
    *("gguf", "pillow", "soundfile", "tensorrt", "tensorrt-rtx-cu12", "tokenizers", "torch", "transformers"),
)


def certificate(job: Job, converted: Converted) -> Certificate:
    """The certificate of `converted`, with the hashes of what went in and what came out."""
    measured = converted.measured
    source = digests("source", job.request.source)
    canonical, served = digests("canonical", job.canonical), digests("model", job.model)
    return Certificate(
        task=job.request.task,
        verdict=converted.decision.verdict,
        precision=converted.decision.arithmetic,
        reason=converted.decision.reason,
        accuracy=measured.accuracy,
        latency=measured.latency,
        size=measured.size,
        operators=measured.operators,
        curve=measured.curve,
        layers=measured.layers,
        lowerings=measured.lowerings,
        calibration=measured.calibration,
        selection=measured.selection,
        held_out=measured.held_out,
        hardware=Hardware(hardware_class=hardware_class(), processor=processor(), cores=os.cpu_count() or 1),
        engine=measured.engine,
        engine_version=_version(measured.engine),
        lineage=Lineage(
            source=combined(source),
            calibration=measured.calibration.sha256 if measured.calibration else None,
            canonical=combined(canonical) if canonical else None,
            served=combined(served),
        ),
        versions=versions(),
        files={**canonical, **served, **source},
        seconds=round(job.reporter.elapsed, 1),
        peak_memory_bytes=peak_memory_bytes(),
        created_at=datetime.now(UTC),
    )


def versions() -> dict[str, str]:
    """The software that a conversion depends on, as it is installed."""
    found = {name: version for name in _VERSIONS if (version := _installed(name)) is not None}
    return dict(sorted({"python": platform.python_version(), **found}.items()))


def digests(prefix: str, directory: Path) -> dict[str, str]:
    """SHA-256 of every file below `directory`, by its path in it behind `prefix`."""
    found = {}
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                found[f"{prefix}/{path.relative_to(directory)}"] = hashlib.file_digest(file, "sha256").hexdigest()
    return dict(sorted(found.items()))


def combined(files: Mapping[str, str]) -> str:
    """One SHA-256 for a set of files: of each path and content hash, a line each, in order."""
    lines = (f"{path} {sha256}\n" for path, sha256 in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _version(engine: Engine) -> str:
    return _installed(engine.value) or "not installed"


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def findings(request: ConversionRequest, depends_on: Iterable[str]) -> str:
    """A digest of everything that what was measured depends on: `scope`, the source, what was asked, `depends_on`."""
    asked = f"{request.task} {request.seed} {request.threads} {sorted(request.budget.items())}"
    return scope([combined(digests("source", request.source)), *depends_on, asked])


def scope(parts: Iterable[str]) -> str:
    """A digest of everything that findings depend on besides `parts`: our code, the software, the processor."""
    digest = hashlib.sha256()
    for package in (Path(__file__).parent, Path(__file__).parents[1] / "registry" / "spec"):
        for path in sorted(package.rglob("*.py")):
            digest.update(path.read_bytes())
    for text in (*map(str, sorted(versions().items())), hardware_class(), processor(), *parts):
        digest.update(f"{text}\n".encode())
    return digest.hexdigest()
