"""A float graph made ready for quantization: clean, folded, in the canonical opset, shared inputs merged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, version_converter

from converters.steps.graph import OPSET, STANDARD, Graph, copy_of, standard_opset
from converters.steps.products import matrix_product
from converters.steps.run import refusals
from registry.spec.session import open_session

_IR_VERSION = 10


class OpsetUnsupported(ValueError):
    """The graph cannot be brought to the canonical opset."""


def clean(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy without what an exporter left behind: stack traces, paths, inferred shapes. The same graph, smaller."""
    copy = copy_of(model)
    copy.doc_string, copy.producer_version = "", ""
    copy.graph.doc_string = ""
    del copy.metadata_props[:], copy.graph.metadata_props[:], copy.graph.value_info[:]
    for part in (*copy.graph.node, *copy.graph.initializer, *copy.graph.input, *copy.graph.output):
        part.doc_string = ""
        del part.metadata_props[:]
    return copy


def prepare(model: onnx.ModelProto, scratch: Path) -> onnx.ModelProto:
    """A graph of the same function as `model`, in opset 20, folded, Gemm as MatMul + Add, shared inputs merged.

    `scratch` is a directory for ONNX Runtime, which folds constants and batch norms. Raises OpsetUnsupported, and
    EngineRefused where ONNX Runtime does not open the graph.
    """
    graph = Graph(_to_opset(_folded(clean(model), scratch)))
    graph.replace_nodes([new for node in graph.nodes for new in _without_gemm(graph, node)])
    graph.replace_nodes(_merge_shared_inputs(graph))
    return graph.model


def _folded(model: onnx.ModelProto, scratch: Path) -> onnx.ModelProto:
    """What ONNX Runtime's basic optimisations leave: the same function in standard operators."""
    source, target = scratch / "unfolded.onnx", scratch / "folded.onnx"
    onnx.save(model, source)
    with refusals():
        open_session(source, 1, exact_x86=False, save_optimized=target, level="basic")
    folded = clean(onnx.load(target))
    used = {node.domain for node in folded.graph.node}
    kept = [entry for entry in folded.opset_import if entry.domain in STANDARD or entry.domain in used]
    del folded.opset_import[:]
    folded.opset_import.extend(kept)
    folded.producer_name = ""
    source.unlink()
    target.unlink()
    return folded


def _to_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    version = standard_opset(model)
    if version == OPSET:
        model.ir_version = min(model.ir_version, _IR_VERSION)
        return model
    try:
        converted: onnx.ModelProto = version_converter.convert_version(model, OPSET)
    except (RuntimeError, version_converter.ConvertError) as error:
        raise OpsetUnsupported(f"the graph is in opset {version} and cannot be converted to opset {OPSET}") from error
    converted.ir_version = _IR_VERSION
    return clean(converted)


def _without_gemm(graph: Graph, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Gemm with constant weights, which TensorRT does not quantize, as MatMul + Add."""
    if node.op_type != "Gemm":
        return [node]
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    weights = graph.constant(node.input[1])
    if weights is None or attributes.get("transA", 0) or weights.dtype != np.float32:
        return [node]
    matrix = weights.T if attributes.get("transB", 0) else weights
    name = graph.add_constant(f"{node.input[1]}_matrix", matrix * np.float32(attributes.get("alpha", 1.0)))
    if len(node.input) < 3 or not node.input[2]:
        return [helper.make_node("MatMul", [node.input[0], name], list(node.output))]
    bias = graph.constant(node.input[2])
    beta = np.float32(attributes.get("beta", 1.0))
    if bias is None and beta != 1:
        return [node]
    added = node.input[2] if bias is None else graph.add_constant(f"{node.input[2]}_bias", bias * beta)
    product = graph.name(f"{node.output[0]}_product")
    return [
        helper.make_node("MatMul", [node.input[0], name], [product]),
        helper.make_node("Add", [product, added], list(node.output)),
    ]


def _merge_shared_inputs(graph: Graph) -> list[onnx.NodeProto]:
    """Query, key and value as one MatMul + Split: one quantization of the input and one larger, faster product."""
    groups: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.nodes:
        if matrix_product(graph, node):
            groups.setdefault(node.input[0], []).append(node)
    merged: dict[str, list[onnx.NodeProto]] = {}
    absorbed: set[str] = set()
    for source, members in groups.items():
        if len(members) > 1:
            merged[members[0].output[0]] = _merge(graph, source, members)
            absorbed |= {node.output[0] for node in members[1:]}
    made = {name for new in merged.values() for node in new for name in node.output}
    nodes = []
    for node in graph.nodes:
        name = node.output[0] if node.output else ""
        if name in merged:
            nodes += merged[name]
        elif name not in absorbed | made:  # the sums are among what was made
            nodes.append(node)
    return nodes


def _merge(graph: Graph, source: str, members: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """One product for all members, with their biases where each has one, and a Split into what they answer."""
    weights = [graph.constant(node.input[1]) for node in members]
    columns = [value.shape[1] for value in weights if value is not None]
    name = graph.add_constant(f"{members[0].input[1]}_merged", np.concatenate([w for w in weights if w is not None], 1))
    product = graph.name(f"{members[0].output[0]}_merged")
    sizes = graph.add_constant(f"{product}_sizes", np.array(columns, dtype=np.int64))
    nodes = [helper.make_node("MatMul", [source, name], [product])]
    sums = [bias_sum(graph, node.output[0], width) for node, width in zip(members, columns, strict=True)]
    biases = [entry for entry in sums if entry is not None]
    answers, summed = [node.output[0] for node in members], product
    if len(biases) == len(members):
        bias = graph.add_constant(f"{product}_bias", np.concatenate([value for _, value in biases]))
        summed = graph.name(f"{product}_sum")
        nodes.append(helper.make_node("Add", [product, bias], [summed]))
        answers = [add.output[0] for add, _ in biases]
    return [*nodes, helper.make_node("Split", [summed, sizes], answers, axis=-1)]


def bias_sum(graph: Graph, product: str, width: int) -> tuple[onnx.NodeProto, NDArray[np.float32]] | None:
    """The Add that is the only reader of a product [*, width], and the constant it adds to each channel."""
    readers = graph.consumers(product)
    if len(readers) != 1 or readers[0].op_type != "Add" or graph.is_output(product):
        return None
    first, second = readers[0].input
    bias = graph.constant(second if first == product else first)
    return (readers[0], bias) if bias is not None and bias.shape == (width,) else None
