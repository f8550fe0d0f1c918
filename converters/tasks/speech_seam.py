"""Cutting a VITS voice where its durations are known.

Before the cut everything has a place for each phoneme; behind it each phoneme takes as many frames as its duration
rounded up. In one piece, a duration of 3.01 in place of 3.00 frames would shift all audio behind it, and no layer's
error could be told from another's; in two, the second part is measured with the original's own durations.
"""

from __future__ import annotations

from collections.abc import Iterable

import onnx
from onnx import TensorProto, helper, shape_inference

from converters.steps.graph import graph_inputs
from registry.spec.speech import Seam

_RANDOM = ("RandomNormalLike", "RandomUniformLike", "RandomNormal", "RandomUniform")


def cut(graph: onnx.ModelProto) -> tuple[onnx.ModelProto, onnx.ModelProto, Seam] | None:
    """The part up to the durations, the part from them on, and the seam; None where there are none to be found.

    The durations are what the only Ceil of the graph rounds (VITS, arXiv 2106.06103, equation 8).
    """
    rounded = [node.input[0] for node in graph.graph.node if node.op_type == "Ceil"]
    if len(rounded) != 1:
        return None
    makers = {name: node for node in graph.graph.node for name in node.output}
    before = _upstream(rounded, makers)
    behind = _upstream([value.name for value in graph.graph.output], makers) - before
    taken = {name for key in behind for name in makers[key].input if name}
    inner = {name for key in before for name in makers[key].output}
    constant = {name for key in before for name in _constant_outputs(makers[key])}
    carried = tuple(sorted((taken & inner) - constant))
    inputs = graph_inputs(graph)
    shared = tuple(value.name for value in inputs if value.name in taken)
    types = _types(graph)
    if not carried or any(name not in types for name in carried):
        return None
    values = [types[name] for name in carried]  # as inputs with their ranks, which OpenVINO wants to know
    repeated = {key for key in before if _constant_outputs(makers[key])}
    first = _part(graph, before, inputs, [_loosened(value) for value in values])
    given = [value for value in inputs if value.name in shared]
    second = _part(graph, behind | repeated, [*given, *values], list(graph.graph.output))
    return first, second, Seam(carried, shared)


def seeded(graph: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """A copy whose random numbers are the same in every session: from calibration to calibration, scales stay.

    The shape of its output is left out, which is of one dimension that matters, the samples.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    outputs = [_loosened(value) for value in graph.graph.output]
    del copy.graph.output[:]
    copy.graph.output.extend(outputs)
    for number, node in enumerate(node for node in copy.graph.node if node.op_type in _RANDOM):
        kept = [attribute for attribute in node.attribute if attribute.name != "seed"]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute("seed", float(1 + number + 1000 * (seed % 1000)))])
    return copy


def _upstream(values: Iterable[str], makers: dict[str, onnx.NodeProto]) -> set[str]:
    """The nodes that `values` depend on, each by its first output."""
    found: set[str] = set()
    waiting = list(values)
    while waiting:
        node = makers.get(waiting.pop())
        if node is not None and node.output[0] not in found:
            found.add(node.output[0])
            waiting += [name for name in node.input if name]
    return found


def _constant_outputs(node: onnx.NodeProto) -> list[str]:
    return list(node.output) if node.op_type == "Constant" else []


def _types(graph: onnx.ModelProto) -> dict[str, onnx.ValueInfoProto]:
    """Every value's type, with its rank and the channels behind the batch where they are fixed; lengths vary."""
    inferred = shape_inference.infer_shapes(graph)
    return {
        value.name: helper.make_tensor_value_info(
            value.name, value.type.tensor_type.elem_type, _shape(value) if _has_shape(value) else None
        )
        for value in inferred.graph.value_info
        if value.type.tensor_type.elem_type != TensorProto.UNDEFINED
    }


def _shape(value: onnx.ValueInfoProto) -> list[int | str]:
    return [
        dimension.dim_value if axis and dimension.dim_value else f"{value.name}_{axis}"
        for axis, dimension in enumerate(value.type.tensor_type.shape.dim)
    ]


def _has_shape(value: onnx.ValueInfoProto) -> bool:
    return bool(value.type.tensor_type.HasField("shape"))


def _loosened(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    """A value's type with its shape where that has fixed channels behind the batch; else lengths are all there is."""
    channels = any(dimension.dim_value > 1 for dimension in value.type.tensor_type.shape.dim[1:])
    return helper.make_tensor_value_info(
        value.name, value.type.tensor_type.elem_type, _shape(value) if channels else None
    )


def _part(
    graph: onnx.ModelProto, keys: set[str], inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]
) -> onnx.ModelProto:
    part = onnx.ModelProto()
    part.CopyFrom(graph)
    nodes = [node for node in graph.graph.node if node.output[0] in keys]
    used = {name for node in nodes for name in node.input}
    for field in ("node", "initializer", "input", "output", "value_info"):
        part.graph.ClearField(field)
    part.graph.node.extend(nodes)
    part.graph.initializer.extend(tensor for tensor in graph.graph.initializer if tensor.name in used)
    part.graph.input.extend(inputs)
    part.graph.output.extend(outputs)
    return part
