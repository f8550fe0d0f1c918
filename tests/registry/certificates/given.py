"""Certificates to start from: one with everything in it, and ways to change it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from registry.spec.certificate import (
    Arithmetic,
    Certificate,
    Data,
    Engine,
    Hardware,
    Latency,
    Layer,
    Lineage,
    Lowering,
    Metric,
    Operators,
    Point,
    Size,
)


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def point(name: str, loss: float, ratio: float | None, **changes: Any) -> Point:
    given: dict[str, Any] = {
        "name": name,
        "arithmetic": Arithmetic.INT8,
        "engine": Engine.ONNXRUNTIME,
        "loss": loss,
        "figures": {"cosine": 1 - 0.005 * loss},
        "latency_ratio": ratio,
        "size_ratio": 0.27,
        "passed": loss <= 1,
        "chosen": False,
    }
    return Point(**(given | changes))


def layer(name: str, harm: float | None, reason: str | None = None) -> Layer:
    arithmetic = Arithmetic.FLOAT32 if reason else Arithmetic.INT8
    return Layer(name=name, operators={"MatMul": 1}, arithmetic=arithmetic, harm=harm, reason=reason)


CURVE = [
    point("everything in INT8, MinMax", 12.2, 0.49),
    point("SmoothQuant 0.5", 2.42, 0.5),
    point("SmoothQuant 0.8", 1.64, 0.5),
    point("SmoothQuant 0.8, 2 layers in float", 0.62, 0.56, chosen=True),
    point("SmoothQuant 0.8, 4 layers in float", 0.44, 0.66, size_ratio=0.34),
    point("everything in INT8, MinMax", 11.0, 0.44, engine=Engine.OPENVINO),
    point("INT8 weights", 0.08, 1.31, arithmetic=Arithmetic.INT8_WEIGHTS),
    point("dynamic", 1.16, 0.71, arithmetic=Arithmetic.INT8_DYNAMIC, size_ratio=0.26),
    point("float", 0.0, 1.0, arithmetic=Arithmetic.FLOAT32, size_ratio=1.0),
]

LAYERS = [
    layer("encoder.layer.5.output.dense", 0.98, "back in float: without it the cosine is 0.992, below 0.995"),
    layer("encoder.layer.4.output.dense", 0.54, "back in float: second in the ranking of harm"),
    layer("embeddings.word_embeddings", None),
    *(layer(f"encoder.layer.{n}.attention.self.query_key_value", 0.08 + 0.04 * n) for n in range(6)),
    *(layer(f"encoder.layer.{n}.intermediate.dense", 0.06 + 0.02 * n) for n in range(6)),
]

CERTIFICATE = Certificate(
    task="embedding",
    verdict="certified",
    precision=Arithmetic.INT8,
    reason="INT8 is accurate enough (cosine 0.9969, at least 0.995 demanded) and takes 0.56 of float's time; "
    "2 of 15 layers stay in float.",
    accuracy=[
        Metric(name="cosine", value=0.99688, low=0.99641, high=0.99727, minimum=0.995, passed=True),
        Metric(name="neighbours_kept", value=0.9427, low=0.9236, high=0.9601, minimum=0.92, passed=True),
        Metric(name="rank_correlation", value=0.99812, low=0.99799, high=0.99824, minimum=0.997, passed=True),
        Metric(name="largest_difference", value=0.0713, low=0.0655, high=0.0799, passed=True),
    ],
    latency=[
        Latency(
            load=load,
            threads=1,
            float_ms=before,
            quantized_ms=after,
            ratio=after / before,
            ratio_low=0.98 * after / before,
            ratio_high=1.02 * after / before,
        )
        for load, before, after in (("1 × 32 tokens", 13.5, 7.6), ("8 × 32 tokens", 101.7, 57.1), ("8 × 128", 447, 301))
    ],
    size=Size(float_bytes=90_868_376, quantized_bytes=24_534_016),
    operators=Operators(
        quantized={"MatMulIntegerToFloat": 22, "Gather": 1}, floating={"MatMul": 14}, quantized_share=0.917
    ),
    curve=CURVE,
    layers=LAYERS,
    lowerings=[
        Lowering(
            target="onnxruntime x86-avx2", status="measured", detail="U8 activations, S8 weights", sha256=digest("x86")
        ),
        Lowering(
            target="tensorrt 10, sm_89",
            status="built, not run",
            detail="by tensorrt-rtx 1.7, 2 profiles",
            sha256=digest("plan"),
        ),
        Lowering(target="tensorrt 11", status="checked, not built", detail="zero points, axes, placement", sha256=None),
    ],
    calibration=Data(description="built-in sentences and passages", samples=256, sha256=digest("calibration")),
    selection=Data(description="built-in sentences of other sources", samples=192, sha256=digest("selection")),
    held_out=Data(description="built-in sentences that no choice has seen", samples=576, sha256=digest("held out")),
    hardware=Hardware(hardware_class="x86-avx2", processor="AMD EPYC 7B13", cores=2),
    engine=Engine.ONNXRUNTIME,
    engine_version="1.32.0",
    lineage=Lineage(
        source=digest("source"),
        calibration=digest("calibration"),
        canonical=digest("canonical"),
        served=digest("served"),
    ),
    versions={"conch": "0.1.0", "onnx": "1.23.2", "onnxruntime": "1.32.0", "torch": "2.13.0"},
    files={"model.onnx": digest("model.onnx"), "tokenizer.json": digest("tokenizer.json")},
    seconds=184.2,
    peak_memory_bytes=1_932_735_283,
    created_at=datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
)


def certificate(**changes: Any) -> Certificate:
    return CERTIFICATE.model_copy(update=changes)
