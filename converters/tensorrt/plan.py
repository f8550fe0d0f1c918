"""From a canonical file to a plan beside its own description, on a machine with the GPU that will serve it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx

from converters.steps import lint
from converters.tensorrt import inspect_engine
from converters.tensorrt.build import Built, Options, build, check_version
from converters.tensorrt.float16 import Half, to_half
from converters.tensorrt.messages import Messages, logger
from converters.tensorrt.profiles import Bucket, Span, profiles
from registry.spec.certificate import Lowering, Operators

PLAN, DESCRIPTION = "model.plan", "plan.json"


@dataclass(frozen=True)
class Made:
    """A plan that was written: the files, what it runs by its inspector, and what a certificate may say of it."""

    plan: Path
    timing_cache: bytes | None
    operators: Operators
    lowering: Lowering


def make(
    api: Any,
    canonical: onnx.ModelProto,
    output: Path,
    rows: Span,
    buckets: Sequence[Bucket],
    options: Options,
    magnitudes: Mapping[str, float] | None = None,
) -> Made:
    """Write `model.plan` and `plan.json` into the directory `output`; `api` is the module `tensorrt`, 10 or 11.

    The profiles follow from `rows` and `buckets` and replace those of `options`. The status is `built, not run`: speed
    and accuracy of the plan are for a measurement to say. Raises CanonicalInvalid, ConversionFailed, and ValueError for
    a cast or profiles that cannot be.
    """
    check_version(api)
    lint.check(canonical)
    half = to_half(canonical, magnitudes)
    lint.check(half.model, half=True)
    source = output / "half.onnx"
    onnx.save(half.model, source)
    try:
        built = build(api, source, replace(options, profiles=profiles(half.model, rows, buckets)))
    finally:
        source.unlink()
    operators = inspect_engine.inspect(api, built.plan, logger(api, Messages()))
    plan = output / PLAN
    plan.write_bytes(built.plan)
    lowering = _lowering(built, operators)
    description = _description(lowering, operators, half, built, options)
    (output / DESCRIPTION).write_text(json.dumps(description, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return Made(plan, built.timing_cache, operators, lowering)


def _lowering(built: Built, operators: Operators) -> Lowering:
    quantized, floating = sum(operators.quantized.values()), sum(operators.floating.values())
    return Lowering(
        target="TensorRT",
        status="built, not run",
        detail=(
            f"Built by TensorRT {built.version}; its inspector counts {quantized} of {quantized + floating} products "
            "and convolutions in INT8. Speed and accuracy were not measured."
        ),
        sha256=hashlib.sha256(built.plan).hexdigest(),
    )


def _description(
    lowering: Lowering, operators: Operators, half: Half, built: Built, options: Options
) -> dict[str, Any]:
    return {
        "lowering": lowering.model_dump(),
        "operators": operators.model_dump(),
        "kept_in_fp32": half.kept,
        "saturated_constants": list(half.saturated),
        "hardware_compatibility": options.hardware_compatibility.value,
        "warnings": list(built.warnings),
    }
