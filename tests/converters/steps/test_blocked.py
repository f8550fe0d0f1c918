"""Weights with a scale for each block of a channel's inputs."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters.steps import blocked
from converters.steps.canonical import Weights, levels_and_scales
from converters.steps.compact import compact
from converters.steps.graph import Graph


@pytest.mark.parametrize(("inputs", "count"), [(384, 6), (64, 1), (288, 6), (96, 2), (27, 1), (37, 1), (131, 1)])
def test_equal_blocks_divide_the_inputs_or_there_is_one(inputs: int, count: int) -> None:
    assert blocked.blocks(inputs) == count


@pytest.mark.parametrize(("shape", "axis"), [((192, 24), 1), ((24, 192), 0), ((24, 32, 3, 3), 0), ((24, 48, 5), 0)])
def test_many_scales_are_nearer_than_one_for_a_channel(shape: tuple[int, ...], axis: int) -> None:
    values = _uneven(shape)
    found = blocked.nearest(values, axis)
    assert found.levels.shape == shape
    assert found.scales.shape[0] == 24
    assert found.scales.shape[1] > 1
    of_channels = Weights(*levels_and_scales(values, axis))
    near, far = (np.square(blocked.widened(weights, axis) - values).sum() for weights in (found, of_channels))
    assert near < 0.8 * far


@pytest.mark.parametrize(("shape", "axis"), [((27, 24), 1), ((24, 3, 3, 3), 0), ((64, 24, 4, 4), 1), ((2, 24, 64), 1)])
def test_what_has_no_equal_blocks_keeps_a_scale_for_each_channel(shape: tuple[int, ...], axis: int) -> None:
    found = blocked.nearest(_uneven(shape), axis)
    assert found.scales.shape == (24,)
    np.testing.assert_allclose(blocked.widened(found, axis), _uneven(shape), atol=float(found.scales.max()))


@pytest.mark.parametrize("operator", ["MatMul", "Conv"])
def test_the_engine_reads_what_was_stored(operator: str) -> None:
    shape, given = ((192, 24), (5, 192)) if operator == "MatMul" else ((24, 64, 3, 3), (1, 64, 8, 8))
    values = _uneven(shape)
    node = helper.make_node(operator, ["x", "w"], ["y"])
    rank = len(given)
    model = helper.make_model(
        helper.make_graph(
            [node],
            "stored",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, given)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * rank)],
            [numpy_helper.from_array(values, "w")],
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )
    x = np.random.default_rng(2).standard_normal(given).astype(np.float32)
    expected = _run(model.SerializeToString(), x)
    graph = Graph(model)
    compact(graph, {}, recurrent=True)
    answered = _run(model.SerializeToString(), x)
    assert [node.op_type for node in model.graph.node] == ["Cast", "Mul", "Reshape", operator]
    assert np.corrcoef(answered.ravel(), expected.ravel())[0, 1] > 0.9999
    assert not np.array_equal(answered, expected)


def _run(model: bytes, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"x": x})
    return np.asarray(answer)


def _uneven(shape: tuple[int, ...]) -> np.ndarray:
    """Weights of which a few are much larger than the rest."""
    values = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    values[np.random.default_rng(3).random(shape) < 0.01] *= 10
    return values


def test_a_table_that_is_read_twice_is_written_once() -> None:
    table = np.random.default_rng(0).standard_normal((2000, 64)).astype(np.float32)
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["n"]) for name in ("one", "two")]
    model = helper.make_model(
        helper.make_graph(
            [
                helper.make_node("Gather", ["table", "one"], ["first"]),
                helper.make_node("Gather", ["table", "two"], ["second"]),
                helper.make_node("Add", ["first", "second"], ["y"]),
            ],
            "tables",
            inputs,
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 64])],
            [numpy_helper.from_array(table, "table")],
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )
    graph = Graph(model)
    compact(graph, {}, recurrent=True)
    assert sum(len(tensor.raw_data) for tensor in model.graph.initializer) < 1.2 * table.size
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"one": np.array([3, 1999]), "two": np.array([7, 0])})
    np.testing.assert_allclose(answer, table[[3, 1999]] + table[[7, 0]], atol=0.1)
