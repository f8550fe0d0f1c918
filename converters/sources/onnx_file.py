"""Inspection of an ONNX file: the protobuf is parsed and measured, no node is run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, external_data_helper, helper

from converters.errors import SourceInvalid
from converters.sources.facts import Format, SourceFacts
from converters.sources.files import plain_files, read_object
from converters.sources.onnx_tensors import check_tensor
from converters.sources.text_facts import check_tokenizer, read_text_facts
from registry.spec.embedding import TASK as EMBEDDING

MODEL = "model.onnx"
TEXT_INPUTS = ("input_ids", "attention_mask", "token_type_ids")

_MOST_NODES = 50_000  # the largest graphs in use have a few thousand
_MOST_OPSET = 26
_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}


def inspect(source: Path, task: str) -> SourceFacts:
    """The facts of `model.onnx` in `source`. Raises SourceInvalid for what is not one or reaches outside."""
    plain_files(source)
    model = parse(source / MODEL)
    nodes = list(_nodes(model.graph))
    _check_operators(model, nodes)
    parameters = sum(check_tensor(tensor, source) for tensor in _tensors(model, nodes))
    _check_interface(model)
    text = None
    if task == EMBEDDING.name:
        config = read_object(source / "config.json", required=False)
        check_tokenizer(source, config)
        check_text_inputs(model)
        token_vectors(model)
        text = read_text_facts(source, config)
    return SourceFacts(
        format=Format.ONNX,
        task=task,
        architecture="onnx",
        parameters=parameters,
        size=sum(path.stat().st_size for path in plain_files(source)),
        text=text,
    )


def parse(path: Path) -> onnx.ModelProto:
    """The model in `path` without its external data. Raises SourceInvalid for bytes that are not one."""
    remedy = "Upload the file that torch.onnx.export or onnx.save wrote, under the name model.onnx."
    if path.stat().st_size >= 2**31:
        raise SourceInvalid("model.onnx has 2 GB or more.", "Save it with its weights as external data beside it.")
    try:
        model = onnx.load_model(path, load_external_data=False)
    except DecodeError as error:
        raise SourceInvalid("model.onnx is not an ONNX file.", remedy) from error
    if not model.graph.node or not model.opset_import or not model.ir_version:
        raise SourceInvalid("model.onnx is not an ONNX file with a graph.", remedy)
    return model


def token_vectors(model: onnx.ModelProto) -> str:
    """The name of the graph's output of token vectors, FP32 [rows, tokens, dimensions]."""
    candidates = [
        value.name
        for value in model.graph.output
        if value.type.tensor_type.elem_type == TensorProto.FLOAT and len(value.type.tensor_type.shape.dim) == 3
    ]
    preferred = [name for name in ("token_vectors", "last_hidden_state", "token_embeddings") if name in candidates]
    if not candidates or (len(candidates) > 1 and not preferred):
        raise SourceInvalid(
            "The graph has no single output of token vectors, FP32 with three dimensions.",
            "Export it with the output last_hidden_state [rows, tokens, dimensions]; Conch pools.",
        )
    return (preferred or candidates)[0]


def check_text_inputs(model: onnx.ModelProto) -> None:
    """Raise SourceInvalid unless the inputs are those a tokenizer gives, INT64."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    names = {value.name for value in inputs}
    wide = all(value.type.tensor_type.elem_type == TensorProto.INT64 for value in inputs)
    if "input_ids" not in names or not names <= set(TEXT_INPUTS) or not wide:
        raise SourceInvalid(
            "The graph's inputs are not those of a text encoder.",
            f"Export it with the INT64 inputs input_ids and, as the model needs them, {' and '.join(TEXT_INPUTS[1:])}.",
        )


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def _tensors(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> Iterator[TensorProto]:
    yield from model.graph.initializer
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in (attribute.g, *attribute.graphs):
                yield from inner.initializer


def _check_operators(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    if len(nodes) > _MOST_NODES:
        raise SourceInvalid(
            f"The graph has {len(nodes)} nodes, more than {_MOST_NODES}.", "Simplify the graph, or export it again."
        )
    if model.functions or any(node.domain not in _DOMAINS for node in nodes):
        raise SourceInvalid(
            "The graph uses operators of its own (a custom domain or model functions).",
            "Export it with the standard operators only.",
        )
    if any(entry.domain in ("", "ai.onnx") and entry.version > _MOST_OPSET for entry in model.opset_import):
        raise SourceInvalid(f"The graph is in an opset above {_MOST_OPSET}.", "Export it with opset 20.")


def _check_interface(model: onnx.ModelProto) -> None:
    names = [value.name for value in (*model.graph.input, *model.graph.output)]
    tensors = all(value.type.HasField("tensor_type") for value in (*model.graph.input, *model.graph.output))
    if not model.graph.output or not tensors or len(set(names)) < len(names) or not all(names):
        raise SourceInvalid(
            "The graph's inputs and outputs are not tensors with names of their own.",
            "Export it with named tensor inputs and outputs.",
        )


def load(source: Path) -> onnx.ModelProto:
    """The inspected model with its weights inside."""
    model = parse(source / MODEL)
    external_data_helper.load_external_data_for_model(model, str(source))
    return model


def standard_opset(model: onnx.ModelProto) -> int:
    """The version of the standard operators that the graph was written in."""
    return max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)


def element_name(value: onnx.ValueInfoProto) -> str:
    """The datatype of a graph's input or output as ONNX names it, for messages."""
    return str(helper.tensor_dtype_to_string(value.type.tensor_type.elem_type)).rpartition(".")[2]
