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
from converters.sources.onnx_structure import check_operators, check_values, subgraphs
from converters.sources.onnx_tensors import check_tensor, elements_of, external_bytes
from converters.sources.onnx_wire import check_size
from converters.sources.text_facts import check_tokenizer, read_text_facts
from registry.spec.embedding import TASK as EMBEDDING

MODEL = "model.onnx"
TEXT_INPUTS = ("input_ids", "attention_mask", "token_type_ids")

_UNKNOWN = (0, -1)  # a size that is a name or nothing reads as 0; paddle2onnx writes -1
_SHARED = 4  # times that external data may be read: tied weights are stored once and used twice


def inspect(source: Path, task: str, name: str = MODEL) -> SourceFacts:
    """The facts of the file `name` in `source`. Raises SourceInvalid for what is not one or reaches outside."""
    size = sum(path.stat().st_size for path in plain_files(source))
    model = parse(source / name)
    parameters = check(model, source, name)
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
        size=size,
        files={"model": name},
        text=text,
    )


def parse(path: Path) -> onnx.ModelProto:
    """The model in `path` without its external data. Raises SourceInvalid for bytes that are not one."""
    remedy = f"Upload the file that torch.onnx.export or onnx.save wrote, under the name {path.name}."
    if not path.is_file():
        raise SourceInvalid(f"{path.name} is missing.", remedy)
    if path.stat().st_size >= 2**31:
        raise SourceInvalid(f"{path.name} has 2 GB or more.", "Save it with its weights as external data beside it.")
    check_size(path)
    try:
        model = onnx.load_model(path, load_external_data=False)
    except DecodeError as error:
        raise SourceInvalid(f"{path.name} is not an ONNX file.", remedy) from error
    if not model.graph.node or not model.ir_version:
        raise SourceInvalid(f"{path.name} is not an ONNX file with a graph.", remedy)
    return model


def check(model: onnx.ModelProto, source: Path, name: str) -> int:
    """The number of parameters of `model`, the file `name` in `source`. Raises SourceInvalid unless all of it holds.

    Operators are known, every value is made once and before it is read, tensors fit their data, weights are finite.
    """
    nodes = list(_nodes(model.graph))
    check_operators(model, nodes, name)
    check_values(model.graph, name)
    tensors = list(_tensors(model.graph, nodes, name))
    parameters = sum(check_tensor(tensor, source, name, position) for position, tensor in enumerate(tensors))
    claimed = sum(external_bytes(tensor) for tensor in tensors)
    there = sum(path.stat().st_size for path in plain_files(source))
    if claimed > _SHARED * there:
        raise SourceInvalid(
            f"The tensors of {name} claim {claimed} bytes of external data, and the upload has {there}.",
            "Save it again with onnx.save, each tensor with its own place in the external data.",
        )
    _check_interface(model, name)
    return parameters


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
            for inner in subgraphs(attribute):
                yield from _nodes(inner)


def _tensors(graph: onnx.GraphProto, nodes: list[onnx.NodeProto], name: str) -> Iterator[TensorProto]:
    """Every tensor of `graph`, whose nodes with those inside them are `nodes`."""
    attributes = [attribute for node in nodes for attribute in node.attribute]
    graphs = [graph, *(inner for attribute in attributes for inner in subgraphs(attribute))]
    sparse = any(graph.sparse_initializer for graph in graphs)
    if sparse or any(a.HasField("sparse_tensor") or a.sparse_tensors for a in attributes):
        raise SourceInvalid(f"{name} holds sparse tensors, which Conch does not read.", "Save it with dense weights.")
    for graph in graphs:
        yield from graph.initializer
    for attribute in attributes:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors


def _check_interface(model: onnx.ModelProto, name: str) -> None:
    values = (*model.graph.input, *model.graph.output)
    names = [value.name for value in values]
    tensors = all(value.type.HasField("tensor_type") for value in values)
    if not model.graph.output or not tensors or len(set(names)) < len(names) or not all(names):
        raise SourceInvalid(
            f"The inputs and outputs of {name} are not tensors with names of their own.",
            "Export it with named tensor inputs and outputs.",
        )
    for value in values:
        shape = [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        elements_of([1 if size in _UNKNOWN else size for size in shape], name)


def load(source: Path, name: str = MODEL) -> onnx.ModelProto:
    """The inspected model in the file `name` of `source` with its weights inside."""
    model = parse(source / name)
    external_data_helper.load_external_data_for_model(model, str(source))
    return model


def standard_opset(model: onnx.ModelProto) -> int:
    """The version of the standard operators that the graph was written in."""
    return max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)


def element_name(value: onnx.ValueInfoProto) -> str:
    """The datatype of a graph's input or output as ONNX names it, for messages."""
    return str(helper.tensor_dtype_to_string(value.type.tensor_type.elem_type)).rpartition(".")[2]
