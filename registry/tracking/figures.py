"""A conversion as MLflow's parameters, metrics, tags and artefacts."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from registry.spec.certificate import Certificate, Latency, Metric, Point
from registry.tracking.conversion import ConversionFailure, ConversionRecord

CONVERSION_ID = "conch.conversion_id"
"""The tag by which a conversion's run is found again."""

VERDICT = "conch.verdict"
"""The tag that says certified, rejected, or failed where there was no verdict."""

CERTIFICATE = "conch.certificate"
"""The tag with the SHA-256 of certificate.json, which no run of a failure has."""

_LONGEST_TAG = 5000  # MLflow 2 allows 5000 characters in a tag, MLflow 3 allows 8000
_LONGEST_PARAMETER = 500  # MLflow before 2.8


@dataclass(frozen=True)
class Figure:
    """One value of a metric; `step` counts the points of the accuracy–latency curve."""

    name: str
    value: float
    step: int = 0


@dataclass(frozen=True)
class Entry:
    """Everything that a run holds. `artefacts` are the contents of files by their path in the run."""

    name: str
    started_at: datetime
    ended_at: datetime
    succeeded: bool
    parameters: Mapping[str, str]
    figures: tuple[Figure, ...]
    tags: Mapping[str, str]
    artefacts: Mapping[str, bytes]


def entry_of(record: ConversionRecord) -> Entry:
    """The entry of a conversion with a verdict; a rejection is a result, too, and its run a success."""
    certificate = record.certificate
    return Entry(
        name=record.model,
        started_at=certificate.created_at - timedelta(seconds=certificate.seconds),
        ended_at=certificate.created_at,
        succeeded=True,
        parameters={
            **_parameters(certificate.task, record),
            "precision": certificate.precision.value,
            "engine": certificate.engine.value,
        },
        figures=tuple(_figures(certificate)),
        tags={**_tags(record), **_certificate_tags(record)},
        artefacts=_artefacts(record),
    )


def entry_of_failure(failure: ConversionFailure) -> Entry:
    """The entry of a conversion that failed."""
    return Entry(
        name=failure.model,
        started_at=failure.started_at,
        ended_at=failure.ended_at,
        succeeded=False,
        parameters=_parameters(failure.task, failure),
        figures=(Figure("seconds", (failure.ended_at - failure.started_at).total_seconds()),),
        tags={**_tags(failure), VERDICT: "failed", "mlflow.note.content": _cut(failure.message)},
        artefacts=_logs(failure.logs),
    )


def _parameters(task: str, conversion: ConversionRecord | ConversionFailure) -> dict[str, str]:
    budget = json.dumps(dict(sorted(conversion.budget.items()))) if conversion.budget else "the task's"
    return {"task": task, "budget": budget[:_LONGEST_PARAMETER], "seed": str(conversion.seed)}


def _tags(conversion: ConversionRecord | ConversionFailure) -> dict[str, str]:
    tags = {
        **conversion.tags,
        CONVERSION_ID: conversion.conversion_id,
        "conch.model": conversion.model,
        "conch.source_uri": conversion.source_uri,
        "conch.version": conversion.conch_version,
    }
    return {name: _cut(value) for name, value in tags.items()}


def _certificate_tags(record: ConversionRecord) -> dict[str, str]:
    certificate = record.certificate
    lineage = {f"conch.lineage.{name}": value for name, value in certificate.lineage if value is not None}
    return {
        **lineage,
        CERTIFICATE: hashlib.sha256(record.signed_certificate).hexdigest(),
        VERDICT: certificate.verdict,
        "conch.hardware_class": certificate.hardware.hardware_class,
        "conch.engine_version": certificate.engine_version,
        "mlflow.note.content": _cut(certificate.reason),  # what MLflow shows as the run's description
    }


def _figures(certificate: Certificate) -> Iterator[Figure]:
    yield Figure("seconds", certificate.seconds)
    yield Figure("peak_memory_bytes", certificate.peak_memory_bytes)
    for metric in certificate.accuracy:
        yield from _accuracy(metric)
    for latency in certificate.latency:
        yield from _latency(latency)
    if certificate.size is not None:
        yield Figure("size/float_bytes", certificate.size.float_bytes)
        yield Figure("size/quantized_bytes", certificate.size.quantized_bytes)
        yield Figure("size/ratio", certificate.size.quantized_bytes / max(1, certificate.size.float_bytes))
    for step, point in enumerate(certificate.curve):
        yield from _point(step, point)


def _accuracy(metric: Metric) -> Iterator[Figure]:
    name = f"accuracy/{_key(metric.name)}"
    yield Figure(name, metric.value)
    yield Figure(f"{name}/low", metric.low)
    yield Figure(f"{name}/high", metric.high)


def _latency(latency: Latency) -> Iterator[Figure]:
    name = f"latency/{_key(latency.load)}"
    for field in ("ratio", "ratio_low", "ratio_high", "float_ms", "quantized_ms"):
        yield Figure(f"{name}/{field}", getattr(latency, field))


def _point(step: int, point: Point) -> Iterator[Figure]:
    yield Figure("curve/loss", point.loss, step)
    yield Figure("curve/size_ratio", point.size_ratio, step)
    yield Figure("curve/chosen", float(point.chosen), step)
    if point.latency_ratio is not None:
        yield Figure("curve/latency_ratio", point.latency_ratio, step)
    for name, value in sorted(point.figures.items()):
        yield Figure(f"curve/figures/{_key(name)}", value, step)


def _artefacts(record: ConversionRecord) -> dict[str, bytes]:
    files = {"certificate.json": record.signed_certificate}
    if record.page is not None:
        files["certificate.html"] = record.page.encode()
    plots = {f"plots/{_file(name)}": svg.encode() for name, svg in record.plots.items()}
    return {**files, **plots, **_logs(record.logs)}


def _logs(logs: Mapping[str, str]) -> dict[str, bytes]:
    return {f"logs/{_file(name)}": text.encode() for name, text in logs.items()}


def _key(text: str) -> str:
    """`text` as a part of a metric's name, in the characters that MLflow allows: "8 × 32 tokens" is 8x32_tokens."""
    return re.sub(r"[^\w.\-]+", "_", text.replace(" × ", "x"), flags=re.ASCII).strip("_.") or "unnamed"


def _file(name: str) -> str:
    """`name` as a file's name and nothing else."""
    return re.sub(r"[^\w.\-]+", "_", name, flags=re.ASCII).strip(".") or "unnamed"


def _cut(value: str) -> str:
    return value if len(value) <= _LONGEST_TAG else value[: _LONGEST_TAG - 1] + "…"
