"""What several tests start from."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from converters.progress import Progress
from converters.request import AccuracyBudget, Limits

LIMITS = Limits(seconds=240, memory_bytes=8 * 1024**3)
LENIENT = AccuracyBudget(
    cosine=0.9, nearest_kept=0.3, rank_correlation=0.5
)  # random weights have no neighbours to keep


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
