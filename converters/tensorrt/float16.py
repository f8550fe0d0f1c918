"""The float remainder of the canonical file cast to FP16, as a strongly typed network needs it.

TensorRT 11, and 10 when it is told so, takes every type as the file says it: what has no Q/DQ and is FP32 runs in FP32.
A Q reads the type of its scale and a DQ writes it, so the scales around an FP16 product become FP16 too. The graph's
inputs and outputs stay FP32, with casts at the border, so that a signature does not depend on what runs behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from converters.steps.graph import Graph, copy_of
from converters.tensorrt import half_rules, scales
from converters.tensorrt.value_types import value_types


@dataclass(frozen=True)
class Half:
    """The cast graph. `kept` says of what stays FP32, by output name, why; `saturated` names constants that became
    ±65504 because they only ever said "never"."""

    model: onnx.ModelProto
    kept: dict[str, str]
    saturated: tuple[str, ...]


def to_half(model: onnx.ModelProto, magnitudes: Mapping[str, float] | None = None) -> Half:
    """Cast `model`, in opset 20, to FP16 where that is safe. The same graph gives the same bytes.

    `magnitudes` has the greatest absolute value that calibration saw of each value (`converters.tensorrt.magnitudes`);
    without it only constants are looked at. Raises ValueError where the type of a value cannot be inferred.
    """
    copy = _without_constant_nodes(model)
    scales.free_dead_channels(copy)
    casting = _Casting(copy, magnitudes or {})
    for node in casting.graph.nodes:
        casting.take(node)
    return casting.finish()


class _Casting:
    """One pass over the nodes. A value has its old name in FP32 and a new one in FP16, and either may not be there."""

    def __init__(self, model: onnx.ModelProto, magnitudes: Mapping[str, float]) -> None:
        self.graph = Graph(model)
        self._types = value_types(self.graph.model)
        self._kept = half_rules.kept(self.graph, self._types, magnitudes)
        self._half: dict[str, str] = {}
        self._full = {value.name for value in self.graph.model.graph.input}
        self._computed_half: set[str] = set()
        self._nodes: list[onnx.NodeProto] = []
        self._saturated: list[str] = []

    def take(self, node: onnx.NodeProto) -> None:
        """Append `node` in the type it runs in, after the casts it needs."""
        half = self._runs_half(node)
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        for name in sorted(_captured(node)):  # a branch or a loop reads them by name, in FP32
            self._read(name, half=False)
        full = half_rules.full_inputs(node)
        for position, name in enumerate(node.input):
            copy.input[position] = self._read(name, half=half and position not in full)
        self._nodes.append(copy)
        for position, name in enumerate(node.output):
            if half and self._is_float(name):
                copy.output[position] = self._half[name] = self.graph.name(f"{name}_half")
                self._computed_half.add(name)
            else:
                self._full.add(name)

    def finish(self) -> Half:
        """The whole graph, its outputs in FP32 again."""
        for value in self.graph.model.graph.output:
            self._read(value.name, half=False)
        self.graph.replace_nodes(self._nodes)
        scales.make_scalar(self.graph.model)
        return Half(self.graph.model, dict(sorted(self._kept.items())), tuple(self._saturated))

    def _runs_half(self, node: onnx.NodeProto) -> bool:
        if not node.output or node.output[0] in self._kept:
            return False
        if node.op_type not in half_rules.CARRIERS:
            return True
        given = [name for name in node.input if self._is_float(name) and not self.graph.is_constant(name)]
        return given[0] in self._computed_half if given else any(map(self._is_float, node.input))

    def _read(self, name: str, *, half: bool) -> str:
        """The name of the value in the type that is asked for, cast where it is not there yet."""
        if not self._is_float(name):
            return name
        if half and name not in self._half:
            self._half[name] = self._constant(name) or self._cast(name, self.graph.name(f"{name}_half"), half=True)
        if not half and name not in self._full and not self.graph.is_constant(name):
            self._full.add(self._cast(self._half[name], name, half=False))
        return self._half[name] if half else name

    def _cast(self, source: str, target: str, *, half: bool) -> str:
        to = TensorProto.FLOAT16 if half else TensorProto.FLOAT
        self._nodes.append(helper.make_node("Cast", [source], [target], to=to))
        return target

    def _constant(self, name: str) -> str | None:
        value = self.graph.constant(name)
        if value is None:
            return None
        converted, saturated = _halved(value)
        if saturated:
            self._saturated.append(name)
        return self.graph.add_constant(f"{name}_half", converted)

    def _is_float(self, name: str) -> bool:
        if name and name not in self._types:
            raise ValueError(f"the type of the value {name!r} cannot be inferred")
        return bool(name) and self._types[name] == TensorProto.FLOAT


def _halved(value: NDArray[Any]) -> tuple[NDArray[np.float16], bool]:
    """The constant in FP16, and whether it has sentinels, which become ±65504; infinity stays infinity."""
    sentinels = np.isfinite(value) & (np.abs(value) >= half_rules.SENTINEL)
    limited = np.where(sentinels, np.copysign(half_rules.GREATEST, value), value)
    return limited.astype(np.float16), bool(sentinels.any())


def _without_constant_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose constants are all initializers, without the shapes that somebody inferred before."""
    copy = copy_of(model)
    del copy.graph.value_info[:]
    nodes = []
    for node in copy.graph.node:
        value = _constant_value(node)
        if value is None:
            nodes.append(node)
        else:
            copy.graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del copy.graph.node[:]
    copy.graph.node.extend(kept)
    return copy


def _constant_value(node: onnx.NodeProto) -> NDArray[Any] | None:
    """What a Constant node gives; None for other nodes, and for strings and sparse tensors, which stay nodes."""
    if node.op_type != "Constant" or len(node.attribute) != 1:
        return None
    attribute = node.attribute[0]
    if attribute.name == "value":
        return numpy_helper.to_array(attribute.t)
    kind = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    if attribute.name not in kind:
        return None
    return np.asarray(helper.get_attribute_value(attribute), dtype=kind[attribute.name])


def _captured(node: onnx.NodeProto) -> set[str]:
    """The names that the subgraphs of If, Loop and Scan read from around them."""
    names: set[str] = set()
    for attribute in node.attribute:
        for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            made = {value.name for value in inner.input} | {tensor.name for tensor in inner.initializer}
            made |= {name for child in inner.node for name in child.output}
            read = {name for child in inner.node for name in (*child.input, *_captured(child)) if name}
            names |= (read | {value.name for value in inner.output}) - made
    return names
