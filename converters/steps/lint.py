"""The rules of the canonical INT8 file, checked: what breaks them builds silently in TensorRT and answers wrongly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from numpy.typing import DTypeLike
from onnx import helper

from converters.steps.graph import OPSET, STANDARD, Graph
from converters.steps.products import OUTPUT_AXIS

_LINEAR = ("QuantizeLinear", "DequantizeLinear")
_INTEGER = ("QLinear", "MatMulInteger", "ConvInteger", "DynamicQuantize", "MatMulNBits", "QGemm", "QAttention")
"""What the names of operators that belong into a lowering for ONNX Runtime begin with; no other engine reads them."""


class CanonicalInvalid(ValueError):
    """The graph breaks rules of the canonical file; `violations` says which, one sentence each."""

    def __init__(self, violations: list[str]) -> None:
        super().__init__("; ".join(violations))
        self.violations = violations


def check(model: onnx.ModelProto, *, half: bool = False) -> None:
    """Raise CanonicalInvalid unless `model` is symmetric S8 Q/DQ as TensorRT 10 and 11 take it.

    The scales of the canonical file are FP32. `half` is for the form that is cast for a strongly typed network: there
    the scales may be FP16 as well, since a Q reads and a DQ writes the type of its scale, and one of an activation has
    no dimension.
    """
    rules = _Rules(model, half)
    violations = [*_versions(model), *(found for node in rules.graph.nodes for found in rules.of(node))]
    violations += rules.outputs()
    if violations:
        raise CanonicalInvalid(violations)


def is_quantized(model: onnx.ModelProto) -> bool:
    """Whether some of a graph's values are integers with scales already, in whatever form, subgraphs included."""
    nodes = (inner for node in model.graph.node for inner in (node, *_inside(node)))
    return any(node.op_type in _LINEAR or node.op_type.startswith(_INTEGER) for node in nodes)


def _versions(model: onnx.ModelProto) -> Iterator[str]:
    if model.ir_version > 10:
        yield f"IR version {model.ir_version} is above 10"
    for entry in model.opset_import:
        if entry.domain in STANDARD and entry.version != OPSET:
            yield f"opset {entry.version} is not {OPSET}"


class _Rules:
    """The rules over one graph."""

    def __init__(self, model: onnx.ModelProto, half: bool) -> None:
        self.graph = Graph(model)
        self._half = half
        self._scale_types: tuple[DTypeLike, ...] = (np.float32, np.float16) if half else (np.float32,)

    def of(self, node: onnx.NodeProto) -> Iterator[str]:
        """The rules that this node breaks."""
        name = _name(node)
        if any(inner.op_type in _LINEAR for inner in _inside(node)):
            yield f"{name}: a branch or a loop has quantized values inside, where no rule is checked"
        if node.op_type in _LINEAR:
            yield from self._linear(node)
        elif node.op_type.startswith(_INTEGER):
            yield f"{name}: {node.op_type} is an operator of a lowering and not of the canonical file"
        else:
            yield from self._operator(node)

    def outputs(self) -> Iterator[str]:
        """Only inputs of products are quantized: what the graph answers is float."""
        for value in self.graph.model.graph.output:
            producer = self.graph.producer(value.name)
            if producer is not None and producer.op_type in _LINEAR:
                yield f"{value.name}: the graph's output is quantized"

    def _linear(self, node: onnx.NodeProto) -> Iterator[str]:
        """Rules of one QuantizeLinear or DequantizeLinear."""
        name = _name(node)
        if node.domain not in STANDARD:
            yield f"{name}: {node.op_type} is not ONNX's own but of {node.domain}"
        scale = self.graph.constant(node.input[1])
        zero = self.graph.constant(node.input[2]) if len(node.input) == 3 else None
        if scale is None or not np.isfinite(scale).all() or not (scale > 0).all():
            yield f"{name}: the scale is not a positive constant"
        elif scale.dtype not in self._scale_types:
            yield f"{name}: the scale is {scale.dtype}"
        if zero is None or zero.dtype != np.int8:
            yield f"{name}: the zero point is not a constant S8 (U8 is read as S8 without a word)"
        elif zero.any():
            yield f"{name}: the zero point is not 0"
        yield from self._quantized(node) if node.op_type == "QuantizeLinear" else self._dequantized(node)

    def _quantized(self, node: onnx.NodeProto) -> Iterator[str]:
        """Rules of a QuantizeLinear: of activations, one scale, and nothing reads the integers but its DQ."""
        name, scale = _name(node), self.graph.constant(node.input[1])
        if self.graph.constant(node.input[0]) is not None:
            yield f"{name}: a constant is quantized when the graph runs and not in the file"
        if scale is not None and scale.size != 1:
            yield f"{name}: an activation has more than one scale"
        elif scale is not None and scale.ndim:
            yield f"{name}: the scale of an activation has a dimension, and TensorRT then runs a Conv in float"
        for reader in self.graph.consumers(node.output[0]):
            if reader.op_type != "DequantizeLinear":
                yield f"{name}: {reader.op_type} reads integers"

    def _dequantized(self, node: onnx.NodeProto) -> Iterator[str]:
        name, levels = _name(node), self.graph.constant(node.input[0])
        if _attribute(node, "block_size", 0):
            yield f"{name}: the scales are per block"
        if levels is not None:
            yield from self._weights(node)
            return
        source = self.graph.producer(node.input[0])
        if source is None or source.op_type != "QuantizeLinear" or list(source.input[1:]) != list(node.input[1:]):
            yield f"{name}: an activation is not quantized with the parameters it is dequantized with"

    def _weights(self, node: onnx.NodeProto) -> Iterator[str]:
        """Constants are S8 and the second input of a product, with one scale per output channel."""
        name, levels, scale = _name(node), self.graph.constant(node.input[0]), self.graph.constant(node.input[1])
        assert levels is not None  # or it would be an activation
        if levels.dtype != np.int8:
            yield f"{name}: constants are {levels.dtype} and not S8 (a bias stays float)"
            return
        axis = _attribute(node, "axis", 1)
        axis += levels.ndim if axis < 0 else 0
        for reader in self.graph.consumers(name):
            expected = OUTPUT_AXIS.get(reader.op_type)
            if list(reader.input[:2]) != [reader.input[0], name]:
                yield f"{name}: the weights of {reader.op_type} are not its second input"
            elif reader.op_type == "MatMul" and levels.ndim != 2:
                yield f"{name}: the weights of MatMul have {levels.ndim} dimensions and not 2"
            elif expected is None or axis != expected or scale is None or scale.shape != (levels.shape[expected],):
                yield f"{name}: the weights of {reader.op_type} are not scaled per output channel"

    def _operator(self, node: onnx.NodeProto) -> Iterator[str]:
        """A product reads Q/DQ on both its data inputs or on none, its bias is float; an Add on one branch at most."""
        name, kind = _name(node), node.op_type
        quantized = [self._is_dequantized(value) for value in node.input]
        if not any(quantized):
            return
        if kind == "Gemm":
            yield f"{name}: Gemm is quantized, and has to be MatMul and Add for that"
        elif kind == "Add":
            if all(quantized):
                yield f"{name}: Add must stay float on one of its branches"
        elif kind not in OUTPUT_AXIS:
            yield f"{name}: {kind} must stay float"
        elif not all(quantized[:2]):
            yield f"{name}: only one input of {kind} is quantized"
        if any(quantized[2:]) and kind in OUTPUT_AXIS:
            yield f"{name}: the bias is quantized"

    def _is_dequantized(self, value: str) -> bool:
        producer = self.graph.producer(value)
        return producer is not None and producer.op_type == "DequantizeLinear"


def _name(node: onnx.NodeProto) -> str:
    return node.output[0] if node.output else node.name


def _attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    return next((int(helper.get_attribute_value(a)) for a in node.attribute if a.name == name), default)


def _inside(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """The nodes of the subgraphs of If, Loop and Scan, at every depth."""
    for attribute in node.attribute:
        for inner in (attribute.g, *attribute.graphs):
            for child in inner.node:
                yield child
                yield from _inside(child)
