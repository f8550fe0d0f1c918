"""`python -m converters.tensorrt`: build a plan of a canonical file, on the machine with the GPU that will serve it."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import onnx

from converters.errors import ConversionFailed
from converters.steps.lint import CanonicalInvalid
from converters.tensorrt.build import GIBIBYTE, HardwareCompatibility, Options
from converters.tensorrt.plan import make
from converters.tensorrt.profiles import Bucket, batch, padded


def main(arguments: list[str] | None = None) -> int:
    """Build, and say in one line what was built or why not. 0 for a plan, 1 for none."""
    parsed = _parser().parse_args(arguments)
    try:
        _build(parsed)
    except (CanonicalInvalid, ConversionFailed, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _build(parsed: argparse.Namespace) -> None:
    api = _tensorrt()
    parsed.output.mkdir(parents=True, exist_ok=True)
    cache: Path | None = parsed.timing_cache
    options = Options(
        workspace_bytes=int(parsed.workspace_gib * GIBIBYTE),
        hardware_compatibility=HardwareCompatibility(parsed.hardware_compatibility),
        timing_cache=None if cache is None else cache.read_bytes() if cache.exists() else b"",
        optimization_level=parsed.optimization_level,
    )
    rows = batch(parsed.max_batch, parsed.preferred_batch)
    made = make(api, onnx.load(parsed.canonical), parsed.output, rows, _buckets(parsed.lengths), options)
    if cache is not None and made.timing_cache is not None:
        cache.write_bytes(made.timing_cache)
    sys.stdout.write(f"{made.plan}: {made.lowering.status}. {made.lowering.detail}\n")


def _tensorrt() -> Any:
    try:
        return importlib.import_module("tensorrt")
    except ModuleNotFoundError as error:
        raise ConversionFailed(
            "TensorRT is not installed, and a plan is built only with it.",
            'On the machine with the GPU: pip install "conch[convert,tensorrt]".',
        ) from error


def _buckets(lengths: str | None) -> tuple[Bucket, ...]:
    """`tokens=16,32,64` as buckets that the front pads to."""
    if lengths is None:
        return ({},)
    dimension, equals, sizes = lengths.partition("=")
    if not equals or not all(size.isdecimal() for size in sizes.split(",")):
        raise ValueError(f"--lengths is a dimension and sizes, such as tokens=16,32,64, and not {lengths!r}")
    return padded(dimension, [int(size) for size in sizes.split(",")])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m converters.tensorrt", description=__doc__)
    parser.add_argument("canonical", type=Path, help="the canonical INT8 file of a version")
    parser.add_argument("output", type=Path, help="the directory for model.plan and plan.json")
    parser.add_argument("--max-batch", type=int, default=32, help="the greatest batch that Triton may form")
    parser.add_argument("--preferred-batch", type=int, help="the batch to be fastest at; the greatest if left out")
    parser.add_argument("--lengths", help="the lengths that the front pads to, such as tokens=16,32,64,128")
    parser.add_argument(
        "--hardware-compatibility",
        choices=[level.value for level in HardwareCompatibility],
        default=HardwareCompatibility.NONE.value,
        help="on which GPUs the plan may be loaded besides the one it is built on",
    )
    parser.add_argument("--timing-cache", type=Path, help="a file to start from and to write back")
    parser.add_argument("--workspace-gib", type=float, default=4.0, help="the most memory that a kernel may use")
    parser.add_argument("--optimization-level", type=int, choices=range(6), default=3)
    return parser


if __name__ == "__main__":
    sys.exit(main())
