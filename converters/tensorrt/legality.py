"""Whether TensorRT takes a canonical file, found out where there is no GPU: TensorRT-RTX compiles without one.

Its parser and its compiler are of TensorRT's own family, but an RTX engine is not what serves: Triton cannot load it,
it was never run, and that it builds does not prove that INT8 kernels run. The words of the result say exactly that.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx

from converters.steps import lint
from converters.tensorrt import inspect_engine
from converters.tensorrt.build import GIBIBYTE, Options, build
from converters.tensorrt.float16 import Half, to_half
from converters.tensorrt.profiles import Profile, Span, batch, dynamic_dimensions, profiles
from registry.spec.certificate import Lowering, Operators

CAPABILITIES = ("SM86", "SM89")
"""Ampere and Ada: two generations whose INT8 kernels differ."""

_ROWS = 8
_ANY_SIZE = Span(32, 64, 128)  # multiples of 32, which convolutional networks halve five times


def examine(
    canonical: onnx.ModelProto,
    scratch: Path,
    magnitudes: Mapping[str, float] | None = None,
) -> list[Lowering]:
    """The canonical file cast to FP16, held against the rules, and compiled where TensorRT-RTX is installed.

    `magnitudes` is of `converters.tensorrt.magnitudes`; `scratch` is a directory for the cast file. Raises
    CanonicalInvalid or ConversionFailed for a graph that TensorRT would not take, and ValueError where a type cannot be
    inferred.
    """
    lint.check(canonical)
    half = to_half(canonical, magnitudes)
    lint.check(half.model, half=True)
    path = scratch / "half.onnx"
    onnx.save(half.model, path)
    try:
        if importlib.util.find_spec("tensorrt_rtx") is None:
            return [_by_rules_alone(path)]
        made = check(path)
    finally:
        path.unlink()
    return [lowering.model_copy(update={"detail": f"{_cast(half)} {lowering.detail}"}) for lowering in made]


def check(model: Path) -> list[Lowering]:
    """Compile an ONNX file for each of `CAPABILITIES` with TensorRT-RTX, and keep nothing of it but the words.

    Every dimension that varies goes from 32 to 128. Raises ConversionFailed where TensorRT-RTX refuses the graph, and
    ModuleNotFoundError where it is not installed.
    """
    shapes = _profiles(model)
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    return [_compiled(model, capability, shapes, digest) for capability in CAPABILITIES]


def _compiled(model: Path, capability: str, shapes: Sequence[Profile], digest: str) -> Lowering:
    api = importlib.import_module("tensorrt_rtx")
    options = Options(profiles=shapes, workspace_bytes=GIBIBYTE, threads=1, compute_capabilities=(capability,))
    built = build(api, model, options)
    operators = inspect_engine.of_listing(built.listing)
    return Lowering(
        target=f"TensorRT {capability}",
        status="checked, not built",
        detail=(
            f"Parsed and compiled by TensorRT-RTX {built.version} for {capability} as a check of legality, not run; "
            f"no plan for TensorRT was built. {_counted(operators)}"
        ),
        sha256=digest,
    )


def _counted(operators: Operators) -> str:
    """What the compiler chose, as an intention: kernels are only timed where the GPU is."""
    quantized, floating = sum(operators.quantized.values()), sum(operators.floating.values())
    return f"Its compiler chose INT8 for {quantized} of {quantized + floating} products and convolutions."


def _cast(half: Half) -> str:
    saturated = f"; constants that mask and became 65504: {len(half.saturated)}" if half.saturated else ""
    return f"Cast to FP16 where that is safe (operators that stay FP32: {len(half.kept)}{saturated})."


def _by_rules_alone(path: Path) -> Lowering:
    return Lowering(
        target="TensorRT",
        status="checked, not built",
        detail="Held against the rules of the canonical file; TensorRT-RTX, which would compile it, is not installed.",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def _profiles(model: Path) -> tuple[Profile, ...]:
    graph = onnx.load(model, load_external_data=False)
    return profiles(graph, batch(_ROWS), (dict.fromkeys(dynamic_dimensions(graph), _ANY_SIZE),))
