"""A conversion to record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from registry.spec.certificate import (
    Arithmetic,
    Certificate,
    Data,
    Engine,
    Hardware,
    Latency,
    Lineage,
    Metric,
    Point,
    Size,
)
from registry.tracking import ConversionRecord

ENDED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def certificate(**changes: Any) -> Certificate:
    """A certificate with two points of the curve and two loads."""
    known = Certificate(
        task="embedding",
        verdict="certified",
        precision=Arithmetic.INT8,
        reason="Cosine 0.998 is above 0.98.",
        accuracy=[Metric(name="cosine", value=0.998, low=0.997, high=0.999, minimum=0.98, passed=True)],
        latency=[_latency("8 × 32 tokens", 0.5), _latency("1 × 32 tokens", 0.6)],
        size=Size(float_bytes=1000, quantized_bytes=250),
        operators=None,
        curve=[_point("MinMax", 0.4, 0.9, chosen=False), _point("SmoothQuant", 0.1, 0.95, chosen=True)],
        calibration=Data(description="prose", samples=10, sha256="c" * 64),
        held_out=None,
        hardware=Hardware(hardware_class="x86-avx2", processor="a processor", cores=2),
        engine=Engine.ONNXRUNTIME,
        engine_version="1.32.0",
        lineage=Lineage(source="a" * 64, calibration="c" * 64, canonical=None, served="e" * 64),
        versions={},
        files={},
        seconds=90.0,
        peak_memory_bytes=2**30,
        created_at=ENDED_AT,
    )
    return known.model_copy(update=changes)


def conversion(conversion_id: str, **changes: Any) -> ConversionRecord:
    """A record of the conversion, with a page, a plot and a log."""
    known = ConversionRecord(
        conversion_id=conversion_id,
        model="minilm",
        certificate=certificate(),
        signed_certificate=b'{"signature": "s"}',
        source_uri="models:/minilm/1",
        budget={"cosine": 0.98},
        seed=7,
        conch_version="0.1.0",
        page="<html>page</html>",
        plots={"curve.svg": "<svg/>"},
        logs={"child.log": "a line\n"},
        tags={"conch.model_version": "3"},
    )
    return replace(known, **changes)


def _latency(load: str, ratio: float) -> Latency:
    return Latency(
        load=load,
        threads=1,
        float_ms=10.0,
        quantized_ms=10.0 * ratio,
        ratio=ratio,
        ratio_low=ratio - 0.01,
        ratio_high=ratio + 0.01,
    )


def _point(name: str, loss: float, cosine: float, *, chosen: bool) -> Point:
    return Point(
        name=name,
        arithmetic=Arithmetic.INT8,
        engine=Engine.ONNXRUNTIME,
        loss=loss,
        figures={"cosine": cosine},
        latency_ratio=0.5,
        size_ratio=0.25,
        passed=True,
        chosen=chosen,
    )
