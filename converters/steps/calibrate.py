"""What the activations of a float graph look like over calibration samples: one pass, no activation is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from converters.steps.graph import Graph
from converters.steps.prepare import weight
from registry.spec.session import open_session

Feeds = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Channels:
    """The least and the greatest value of each channel (last dimension) of one activation, FP32 [K] each."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]

    @property
    def magnitude(self) -> NDArray[np.float32]:
        """The greatest absolute value of each channel."""
        return np.maximum(np.abs(self.low), np.abs(self.high))


def observe(model: onnx.ModelProto, batches: Iterable[Feeds], threads: int, scratch: Path) -> dict[str, Channels]:
    """The channels of every activation that meets constant weights in `model`, by value name.

    The reduction to K numbers is part of the graph that runs, so memory is bounded by one batch. `scratch` is a
    directory for that graph. Every position counts: a batch must hold no padding.
    """
    instrumented, observed = _instrument(model)
    path = scratch / "instrumented.onnx"
    onnx.save(instrumented, path)
    session = open_session(path, threads, exact_x86=False)
    path.unlink()
    lows: dict[str, NDArray[np.float32]] = {}
    highs: dict[str, NDArray[np.float32]] = {}
    wanted = [output for outputs in observed.values() for output in outputs]
    for feeds in batches:
        values = dict(zip(wanted, session.run(wanted, feeds), strict=True))
        for name, (low, high) in observed.items():
            lows[name] = np.minimum(lows.get(name, np.float32(np.inf)), values[low])
            highs[name] = np.maximum(highs.get(name, np.float32(-np.inf)), values[high])
    return {name: Channels(lows[name], highs[name]) for name in lows}


def _instrument(model: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, tuple[str, str]]]:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = Graph(copy)
    observed: dict[str, tuple[str, str]] = {}
    for node in graph.nodes:
        matrix = weight(graph, node)
        if matrix is None or node.input[0] in observed:
            continue
        rows = graph.name(f"{node.input[0]}_rows")
        shape = graph.add_constant(f"{rows}_shape", np.array([-1, matrix.shape[0]], dtype=np.int64))
        axes = graph.add_constant(f"{rows}_axes", np.array([0], dtype=np.int64))
        low, high = graph.name(f"{rows}_low"), graph.name(f"{rows}_high")
        copy.graph.node.append(helper.make_node("Reshape", [node.input[0], shape], [rows]))
        copy.graph.node.append(helper.make_node("ReduceMin", [rows, axes], [low], keepdims=0))
        copy.graph.node.append(helper.make_node("ReduceMax", [rows, axes], [high], keepdims=0))
        for name in (low, high):
            copy.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [matrix.shape[0]]))
        observed[node.input[0]] = (low, high)
    return copy, observed
