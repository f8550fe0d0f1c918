"""Graphs that pass inspection and do their harm when they run: the child ends at its limits, and leaves nothing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters.request import Limits
from tests.converters.sources.hostile import fails

MEMORY = Limits(seconds=30, memory_bytes=1024**3)
TIME = Limits(seconds=4, memory_bytes=2 * 1024**3)
TERA = 2**40


def _graph(*nodes: onnx.NodeProto, **constants: Any) -> onnx.ModelProto:
    """x FP32 [batch, 4] through `nodes` to y FP32 [batch, any]."""
    graph = helper.make_graph(
        nodes,
        "hostile",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "any"])],
        [numpy_helper.from_array(np.array(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def _expand() -> onnx.ModelProto:
    return _graph(
        helper.make_node("ReduceSum", ["x", "axis"], ["s"], keepdims=1),
        helper.make_node("Expand", ["s", "shape"], ["y"]),
        axis=[1],
        shape=[1, TERA],
    )


def _tile() -> onnx.ModelProto:
    return _graph(helper.make_node("Tile", ["x", "repeats"], ["y"]), repeats=[1, TERA])


def _folded() -> onnx.ModelProto:
    """A constant of 4 TB, made when the graph is opened: it does not depend on the input."""
    zero = numpy_helper.from_array(np.zeros(1, np.float32))
    return _graph(
        helper.make_node("ConstantOfShape", ["shape"], ["c"], value=zero),
        helper.make_node("ReduceSum", ["c"], ["s"], keepdims=0),
        helper.make_node("Add", ["x", "s"], ["y"]),
        shape=[TERA],
    )


def _range() -> onnx.ModelProto:
    return _graph(
        helper.make_node("Range", ["start", "limit", "step"], ["r"]),
        helper.make_node("ReduceSum", ["r"], ["s"], keepdims=0),
        helper.make_node("Add", ["x", "s"], ["y"]),
        start=np.float32(0),
        limit=np.float32(1e13),
        step=np.float32(1),
    )


def _doubling() -> onnx.ModelProto:
    """Sixty times as wide again: 2^62 numbers out of four, in sixty nodes."""
    names = ["x", *(f"v{i}" for i in range(59)), "y"]
    nodes = [helper.make_node("Concat", [a, a], [b], axis=1) for a, b in pairwise(names)]
    return _graph(*nodes)


def _resize() -> onnx.ModelProto:
    return _graph(
        helper.make_node("Unsqueeze", ["x", "axes"], ["u"]),
        helper.make_node("Resize", ["u", "", "scales"], ["r"], mode="nearest"),
        helper.make_node("Flatten", ["r"], ["y"]),
        axes=[1, 2],
        scales=np.array([1, 1, 1e6, 1e6], np.float32),
    )


def _pad() -> onnx.ModelProto:
    return _graph(helper.make_node("Pad", ["x", "pads"], ["y"]), pads=[0, 0, 0, TERA])


def _wide_input() -> onnx.ModelProto:
    """An input of 4 TB for each row, which the converter would have to make up itself."""
    model = _graph(helper.make_node("ReduceSum", ["x"], ["y"], keepdims=1))
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = TERA
    return model


def _growing_loop() -> onnx.ModelProto:
    """Every turn doubles what it carries."""
    return _loop(helper.make_node("Concat", ["a", "a"], ["b"], axis=1))


def _endless_loop() -> onnx.ModelProto:
    return _loop(helper.make_node("Sin", ["a"], ["b"]))


def _loop(step: onnx.NodeProto) -> onnx.ModelProto:
    """2^62 turns of `step`, from a to b."""
    body = helper.make_graph(
        [step, helper.make_node("Identity", ["go"], ["on"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("a", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("b", TensorProto.FLOAT, None),
        ],
    )
    return _graph(
        helper.make_node("Loop", ["turns", "yes", "x"], ["y"], body=body), turns=np.int64(2**62), yes=np.bool_(True)
    )


def _hungry_loop() -> onnx.ModelProto:
    """Keeps a copy of what every turn made: the scanned output grows until there is no memory."""
    model = _endless_loop()
    node = model.graph.node[0]
    body = node.attribute[0].g
    body.node.append(helper.make_node("Tile", ["a", "wide"], ["kept"]))
    body.initializer.append(numpy_helper.from_array(np.array([1, 2_000_000]), "wide"))
    body.output.append(helper.make_tensor_value_info("kept", TensorProto.FLOAT, None))
    node.output.append("all")
    return model


EATERS: dict[str, Callable[[], onnx.ModelProto]] = {
    "Expand to terabytes": _expand,
    "Tile to terabytes": _tile,
    "a constant of terabytes": _folded,
    "a range of terabytes": _range,
    "doubled sixty times": _doubling,
    "an image blown up": _resize,
    "padding without end": _pad,
    "an input of terabytes": _wide_input,
    "a loop that doubles": _growing_loop,
    "a loop that keeps everything": _hungry_loop,
}


@pytest.mark.parametrize("case", EATERS)
async def test_a_graph_that_eats_the_memory_is_an_error(case: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    onnx.save(EATERS[case](), source / "model.onnx")
    await fails(source, "tensor", "memory|cannot run the graph", MEMORY)


async def test_a_graph_that_never_ends_is_stopped_by_the_clock(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    onnx.save(_endless_loop(), source / "model.onnx")
    await fails(source, "tensor", "longer than the 4 s", TIME)
