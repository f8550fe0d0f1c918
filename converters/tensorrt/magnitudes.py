"""How great values inside a graph become over samples: what FP16, which ends at 65504, must not be asked to hold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from converters.steps.graph import Graph, copy_of
from converters.tensorrt.value_types import value_types
from registry.spec.session import Feeds, open_session


def observe(model: onnx.ModelProto, batches: Iterable[Feeds], threads: int, scratch: Path) -> dict[str, float]:
    """The greatest absolute value of every FP32 value of the main graph over `batches`, by value name.

    The reduction is part of the graph that runs, so memory is bounded by one batch. `scratch` is a directory for that
    graph. Values that are not numbers count as infinite. Empty values leave no trace.
    """
    instrumented, observed = _instrument(model)
    path = scratch / "magnitudes.onnx"
    onnx.save(instrumented, path)
    session = open_session(path, threads, exact_x86=False)
    path.unlink()
    greatest: dict[str, float] = {}
    for feeds in batches:
        for name, value in zip(observed, session.run(list(observed.values()), feeds), strict=True):
            seen = float(np.nan_to_num(value, nan=np.inf, posinf=np.inf, neginf=np.inf))
            greatest[name] = max(greatest.get(name, 0.0), seen)
    return greatest


def _instrument(model: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, str]]:
    """A copy that answers ReduceMax(Abs(v)) of every computed FP32 value v, and those outputs by v."""
    copy = copy_of(model)
    graph = Graph(copy)
    types = value_types(copy)
    names = [name for node in graph.nodes for name in node.output if types.get(name) == TensorProto.FLOAT]
    observed: dict[str, str] = {}
    for name in names:
        size, greatest = graph.name(f"{name}_size"), graph.name(f"{name}_greatest")
        copy.graph.node.append(helper.make_node("Abs", [name], [size]))
        copy.graph.node.append(helper.make_node("ReduceMax", [size], [greatest], keepdims=0))
        copy.graph.output.append(helper.make_tensor_value_info(greatest, TensorProto.FLOAT, []))
        observed[name] = greatest
    return copy, observed
