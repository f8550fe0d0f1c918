"""An ONNX graph as the steps read and rewrite it: constants, producers and consumers by value name."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

OPSET = 20  # the newest that torch exports without the operator Attention, inside which no Q/DQ fits

STANDARD = ("", "ai.onnx")
"""The domain of ONNX's own operators, in both spellings."""


class Graph:
    """A model with its main graph indexed. Rewrites go through its methods, so that the index stays true."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        for node in model.graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self._constants[node.output[0]] = node.attribute[0].t
        self._names = {name for node in model.graph.node for name in (*node.input, *node.output)}
        self._names |= set(self._constants) | {value.name for value in (*model.graph.input, *model.graph.output)}
        self._index()

    def _index(self) -> None:
        self._producers = {name: node for node in self.model.graph.node for name in node.output}
        self._consumers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.model.graph.node:
            for name in dict.fromkeys(node.input):
                self._consumers.setdefault(name, []).append(node)

    @property
    def nodes(self) -> list[onnx.NodeProto]:
        """The nodes of the main graph, in topological order."""
        return list(self.model.graph.node)

    def constant(self, name: str) -> NDArray[Any] | None:
        """The value of an initializer or a Constant node, None for what is computed."""
        tensor = self._constants.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def is_constant(self, name: str) -> bool:
        """Whether the value is an initializer or a Constant node's."""
        return name in self._constants

    def producer(self, name: str) -> onnx.NodeProto | None:
        """The node that computes a value."""
        return self._producers.get(name)

    def consumers(self, name: str) -> list[onnx.NodeProto]:
        """The nodes of the main graph that read a value."""
        return self._consumers.get(name, [])

    def is_output(self, name: str) -> bool:
        """Whether the value is one that the graph answers."""
        return any(value.name == name for value in self.model.graph.output)

    def name(self, wish: str) -> str:
        """A name that nothing in the graph has yet; an output that shares one is refused by ONNX Runtime."""
        name, number = wish, 1
        while name in self._names:
            number += 1
            name = f"{wish}_{number}"
        self._names.add(name)
        return name

    def add_constant(self, wish: str, value: NDArray[Any]) -> str:
        """Add an initializer and return the name it got."""
        name = self.name(wish)
        # Not `ascontiguousarray`, which makes a scalar a list of one: TensorRT then runs what it scales in float.
        tensor = numpy_helper.from_array(np.asarray(value, order="C"), name)
        self.model.graph.initializer.append(tensor)
        self._constants[name] = tensor
        return name

    def replace_nodes(self, nodes: list[onnx.NodeProto]) -> None:
        """Make `nodes` the graph, and drop the initializers that nothing reads any more."""
        del self.model.graph.node[:]
        self.model.graph.node.extend(nodes)
        used = {name for node in nodes for name in _reads(node)} | {value.name for value in self.model.graph.output}
        kept = [tensor for tensor in self.model.graph.initializer if tensor.name in used]
        del self.model.graph.initializer[:]
        self.model.graph.initializer.extend(kept)
        self._constants = {name: tensor for name, tensor in self._constants.items() if name in used}
        self._index()


def copy_of(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model of its own, to be rewritten."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def graph_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """What a caller of the model gives: the graph's inputs without those that are initializers, which have a value."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def standard_opset(model: onnx.ModelProto) -> int:
    """The version of the standard operators that the model is written in, 0 where it names none."""
    return next((entry.version for entry in model.opset_import if entry.domain in STANDARD), 0)


def _reads(node: onnx.NodeProto) -> list[str]:
    """What a node reads, subgraphs of If and Loop included."""
    names = list(node.input)
    for attribute in node.attribute:
        for inner in (attribute.g, *attribute.graphs):
            for child in inner.node:
                names += _reads(child)
            names += [value.name for value in inner.output]
    return names
