"""Hostile ONNX files: each is refused from its bytes, and no node of it is run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters.request import Limits
from converters.sources import onnx_wire
from tests.converters.given import linear
from tests.converters.sources.hostile import fails, refused, refused_in_child

NODES = 1_000_000


def _nodes(*nodes: onnx.NodeProto, opset: int = 20) -> onnx.ModelProto:
    """x FP32 [batch, 4] through `nodes` to y."""
    graph = helper.make_graph(
        nodes,
        "hostile",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def _cycle() -> onnx.ModelProto:
    return _nodes(helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Neg", ["a"], ["b"]), _named("b"))


def _named(value: str) -> onnx.NodeProto:
    return helper.make_node("Identity", [value], ["y"])


def _own_domain() -> onnx.ModelProto:
    model = _nodes(helper.make_node("Steal", ["x"], ["y"], domain="com.evil"))
    model.opset_import.append(helper.make_opsetid("com.evil", 1))
    return model


def _function() -> onnx.ModelProto:
    model = _nodes(helper.make_node("Twice", ["x"], ["y"], domain="local"))
    body = [helper.make_node("Add", ["a", "a"], ["b"])]
    model.functions.append(helper.make_function("local", "Twice", ["a"], ["b"], body, [helper.make_opsetid("", 20)]))
    model.opset_import.append(helper.make_opsetid("local", 1))
    return model


def _endless_function() -> onnx.ModelProto:
    model = _function()
    model.functions[0].node[0].CopyFrom(helper.make_node("Twice", ["a"], ["b"], domain="local"))
    return model


def _ifs(depth: int) -> onnx.ModelProto:
    """If in If in If, from the bytes outwards: as objects they would take quadratic time to copy."""
    return _nodes(_constant("c", np.array(True)), _if(depth), _named("r"))


def _if(depth: int) -> onnx.NodeProto:
    inner = _if(depth - 1) if depth else helper.make_node("Identity", ["x"], ["r"])
    branch = helper.make_graph([inner], "branch", [], [helper.make_tensor_value_info("r", TensorProto.FLOAT, None)])
    return helper.make_node("If", ["c"], ["r"], then_branch=branch, else_branch=branch if depth < 2 else _small())


def _small() -> onnx.GraphProto:
    node = helper.make_node("Identity", ["x"], ["r"])
    return helper.make_graph([node], "small", [], [helper.make_tensor_value_info("r", TensorProto.FLOAT, None)])


def _constant(name: str, value: Any) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value, name))


def _weights(change: Callable[[TensorProto], object]) -> onnx.ModelProto:
    """A linear layer whose weights, FP32 [4, 3], are changed."""
    model = linear()
    change(model.graph.initializer[0])
    return model


def _values(array: Any) -> onnx.ModelProto:
    return _weights(lambda tensor: tensor.CopyFrom(numpy_helper.from_array(array, tensor.name)))


def _bfloat16() -> onnx.ModelProto:
    return _weights(
        lambda t: t.CopyFrom(TensorProto(name="w", data_type=TensorProto.BFLOAT16, dims=[2], raw_data=b"\xc0\x7f" * 2))
    )


def _infinite() -> onnx.ModelProto:
    weights = np.arange(12, dtype=np.float32).reshape(4, 3)
    weights[2, 1] = np.inf
    return _values(weights)


def _external(**entries: str) -> onnx.ModelProto:
    model = linear()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    return model


def _hidden_external() -> onnx.ModelProto:
    """External data in a constant in a branch, where a reader that looks at the weights only does not look."""
    model = _ifs(1)
    tensor = TensorProto(name="k", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    branch = model.graph.node[1].attribute[0].g
    branch.node.insert(0, helper.make_node("Constant", [], ["k"], value=tensor))
    return model


def _typed(change: Callable[[onnx.GraphProto], object]) -> onnx.ModelProto:
    model = linear()
    change(model.graph)
    return model


def _sequence(graph: onnx.GraphProto) -> None:
    graph.output[0].CopyFrom(helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None))


def _dimensions(graph: onnx.GraphProto, *sizes: int) -> None:
    del graph.input[0].type.tensor_type.shape.dim[1:]
    for size in sizes:
        graph.input[0].type.tensor_type.shape.dim.add(dim_value=size)


GRAPHS: dict[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "a cycle": (_cycle, "cycle"),
    "a node that reads itself": (lambda: _nodes(helper.make_node("Add", ["x", "y"], ["y"])), "cycle"),
    "nodes in the wrong order": (lambda: _nodes(_named("a"), helper.make_node("Neg", ["x"], ["a"])), "out of order"),
    "a value from nowhere": (lambda: _nodes(_named("ghost")), "nothing makes"),
    "a value that is made twice": (lambda: _nodes(_named("x"), _named("x")), "make one value"),
    "a branch that reads itself": (
        lambda: _typed(lambda g: g.node.append(_if(0)) or g.node[-1].attribute[0].g.node[0].input.__setitem__(0, "r")),
        "cycle|nothing makes",
    ),
    "an operator nobody knows": (lambda: _nodes(helper.make_node("Detonate", ["x"], ["y"])), "not have: Detonate"),
    "an operator of a later opset": (
        lambda: _nodes(helper.make_node("Gelu", ["x"], ["y"]), opset=13),
        "opset 13 does not have: Gelu",
    ),
    "an operator with a line break in its name": (
        lambda: _nodes(helper.make_node("A\nB", ["x"], ["y"])),
        "without a name",
    ),
    "a domain of its own": (_own_domain, "operators of its own"),
    "an operator that trains": (
        lambda: _nodes(helper.make_node("Adam", ["x"], ["y"], domain="ai.onnx.preview.training")),
        "operators of its own",
    ),
    "a function of its own": (_function, "model functions"),
    "a function that calls itself": (_endless_function, "model functions"),
    "no opset": (lambda: _typed_model(lambda m: m.ClearField("opset_import")), "which opset|not an ONNX file"),
    "an opset below zero": (lambda: _typed_model(lambda m: m.opset_import[0].__setattr__("version", -1)), "opset"),
    "graphs 30 deep in each other": (lambda: _ifs(28), "deep in each other"),
    "weights with a negative size": (lambda: _weights(lambda t: t.dims.__setitem__(0, -4)), "negative or overflows"),
    "weights of 2^126 elements": (lambda: _weights(lambda t: t.dims.__setitem__(slice(None), [2**63 - 1] * 2)), "over"),
    "weights that overflow to a fitting size": (
        lambda: _weights(lambda t: t.dims.__setitem__(slice(None), [2**62 + 3, 4])),
        "overflows",
    ),
    "weights of a thousand dimensions": (lambda: _weights(lambda t: t.dims.extend([1] * 1000)), "dimensions"),
    "weights of an unknown datatype": (lambda: _weights(lambda t: setattr(t, "data_type", 99)), "unknown datatype"),
    "one number for twelve weights": (
        lambda: _weights(lambda t: t.CopyFrom(TensorProto(name="w", data_type=1, dims=[4, 3], float_data=[1.0]))),
        "does not fit its data",
    ),
    "no number for twelve weights": (lambda: _weights(lambda t: t.ClearField("raw_data")), "does not fit its data"),
    "weights of half a byte": (
        lambda: _weights(
            lambda t: t.CopyFrom(TensorProto(name="w", data_type=TensorProto.INT4, dims=[4, 3], raw_data=b"1"))
        ),
        "does not fit its data",
    ),
    "NaN in FP32": (lambda: _values(np.full((4, 3), np.nan, np.float32)), "are NaN"),
    "NaN in FP16": (lambda: _values(np.full((4, 3), np.nan, np.float16)), "are NaN"),
    "NaN in FP64": (lambda: _values(np.full((4, 3), np.nan)), "are NaN"),
    "NaN in bfloat16": (_bfloat16, "are NaN"),
    "NaN in single numbers": (
        lambda: _weights(
            lambda t: t.CopyFrom(TensorProto(name="w", data_type=1, dims=[2], float_data=[1.0, float("nan")]))
        ),
        "are NaN",
    ),
    "NaN in a constant": (
        lambda: _nodes(_constant("c", np.array([np.nan], np.float32)), helper.make_node("Add", ["x", "c"], ["y"])),
        "are NaN",
    ),
    "infinity among weights": (_infinite, "are infinite"),
    "external data in a branch": (_hidden_external, "outside the upload"),
    "external data above": (lambda: _external(location="a/../../secret"), "outside the upload"),
    "external data by a Windows path": (lambda: _external(location="..\\secret"), "outside the upload"),
    "external data nowhere": (lambda: _external(location=""), "outside the upload"),
    "external data in a directory": (lambda: _external(location="."), "missing|outside the upload"),
    "external data before the beginning": (lambda: _external(location="w", offset="-8"), "does not fit its external"),
    "external data of a negative length": (lambda: _external(location="w", length="-1"), "does not fit its external"),
    "external data a byte beyond the end": (lambda: _external(location="w", offset="53"), "does not fit its external"),
    "an offset of 5000 digits": (lambda: _external(location="w", offset="9" * 5000), "no valid position"),
    "an offset that is no number": (lambda: _external(location="w", offset="0x10"), "no valid position"),
    "a result that is no tensor": (lambda: _typed(_sequence), "not tensors"),
    "no result": (lambda: _typed(lambda g: g.ClearField("output")), "not tensors|no output"),
    "two inputs of one name": (lambda: _typed(lambda g: g.input.append(g.input[0])), "make one value|names"),
    "an input of 2^124 elements": (lambda: _typed(lambda g: _dimensions(g, 2**62, 2**62)), "overflows"),
    "an input with a negative size": (lambda: _typed(lambda g: _dimensions(g, -7)), "negative"),
}


def _typed_model(change: Callable[[onnx.ModelProto], object]) -> onnx.ModelProto:
    model = linear()
    change(model)
    return model


@pytest.mark.parametrize("case", GRAPHS)
def test_a_graph_that_does_not_hold_is_refused(case: str, tmp_path: Path) -> None:
    make, message = GRAPHS[case]
    source = tmp_path / "source"
    source.mkdir()
    (source / "w").write_bytes(bytes(100))
    (source / "model.onnx").write_bytes(make().SerializeToString())
    refused(source, "tensor", message)


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "w"])
def test_external_data_behind_a_link_is_refused_wherever_it_leads(target: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for place in (tmp_path / "secret", source / "w"):
        place.write_bytes(bytes(100))
    (source / "link").symlink_to(target)
    onnx.save(_external(location="link"), source / "model.onnx")
    refused(source, "tensor", "not a plain file")


def test_a_directory_that_is_a_link_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "weights").symlink_to("/usr")
    onnx.save(_external(location="weights/secret"), source / "model.onnx")
    refused(source, "tensor", "not a plain file")


def test_external_data_that_is_read_a_thousand_times_is_refused(tmp_path: Path) -> None:
    """A megabyte that a thousand tensors share would be a gigabyte in memory."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "w").write_bytes(bytes(4 * 10**6))
    model = _external(location="w")
    for number in range(1000):
        tensor = model.graph.initializer.add(name=f"w{number}", data_type=TensorProto.FLOAT, dims=[10**6])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="w")
    (source / "model.onnx").write_bytes(model.SerializeToString())
    refused(source, "tensor", "bytes of external data")


def test_three_gigabytes_of_nothing_are_refused_unread(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with (source / "model.onnx").open("wb") as file:
        file.truncate(3 * 1024**3)
    refused(source, "tensor", "2 GB or more", seconds=2)


@pytest.mark.parametrize("branch", [False, True], ids=["in the graph", "in a branch"])
async def test_a_million_nodes_are_refused_at_once_in_little_memory(branch: bool, tmp_path: Path) -> None:
    """As objects they would take a gigabyte; what is read of them fits into half a gigabyte with all libraries."""
    source = tmp_path / "source"
    source.mkdir()
    node = helper.make_node("Neg", ["x"], ["y"]).SerializeToString()
    graph = (b"\x0a" + bytes([len(node)]) + node) * NODES
    if branch:
        graph = _field(1, _field(5, _field(6, graph)))  # ModelProto.graph.node.attribute.g
    (source / "model.onnx").write_bytes(b"\x08\x0a" + _field(7, graph))
    begun = time.monotonic()
    await refused_in_child(source, "tensor", "more than 50000 nodes", Limits(20, 512 * 1024**2))
    assert time.monotonic() - begun < 12


@pytest.mark.parametrize(
    ("fields", "message"),
    [((20, 2, 1), "graphs to train with"), ((25, 7), "model functions")],
    ids=["in training_info.algorithm", "in a function"],
)
async def test_a_million_nodes_beside_the_graph_are_refused_too(
    fields: tuple[int, ...], message: str, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    *outer, innermost = fields
    content = _field(innermost, helper.make_node("Neg", ["x"], ["y"]).SerializeToString()) * NODES
    for field in reversed(outer):
        content = _field(field, content)
    (source / "model.onnx").write_bytes(linear().SerializeToString() + content)
    await refused_in_child(source, "tensor", message, Limits(20, 512 * 1024**2))


def test_millions_of_entries_that_are_no_nodes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_wire, "_MOST_FIELDS", 10_000)
    source = tmp_path / "source"
    source.mkdir()
    graph = _field(7, _field(2, b"") * 10_001)  # GraphProto.name, over and over
    (source / "model.onnx").write_bytes(linear().SerializeToString() + graph)
    refused(source, "tensor", "more than 10000 entries")


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a protobuf."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = b""
    while value >= 0x80:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def test_graphs_a_thousand_deep_in_each_other_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    graph = helper.make_node("Neg", ["x"], ["y"]).SerializeToString()
    for _ in range(1000):
        graph = _field(1, _field(5, _field(6, graph)))
    (source / "model.onnx").write_bytes(b"\x08\x0a" + _field(7, graph))
    refused(source, "tensor", "deep in each other|not an ONNX file")


async def test_a_graph_for_one_row_only_is_refused_in_the_end(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    onnx.save(linear(batch=1), source / "model.onnx")
    await fails(source, "tensor", "no batch dimension that varies in front")
