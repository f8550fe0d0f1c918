"""What several tests start from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from converters.progress import Progress
from converters.report import ConversionReport
from converters.request import Limits

LIMITS = Limits(seconds=900, memory_bytes=8 * 1024**3)


@dataclass(frozen=True)
class Converted:
    """One conversion that several tests look at: its report, what it said and its directory."""

    report: ConversionReport
    said: list[Progress]
    output: Path


async def no_progress(progress: Progress) -> None:
    pass


def linear(batch: Any = "batch", name: str = "x") -> onnx.ModelProto:
    """y = x W + b with x FP32 [batch, 4] and y FP32 [batch, 3]."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((4, 3)).astype(np.float32)
    return helper.make_model(
        helper.make_graph(
            [helper.make_node("Gemm", [name, "w", "b"], ["y"])],
            "linear",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, 4])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 3])],
            [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.ones(3, np.float32), "b")],
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )
