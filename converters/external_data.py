"""Where an ONNX file keeps weights outside itself: the names it gives, before anything but the file is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:  # the parent reads what was found, and needs no onnx for that
    from onnx import GraphProto, TensorProto


class ExternalData(BaseModel):
    """`locations` are paths relative to the ONNX file, each once, as the file has them: they may lead anywhere."""

    model_config = ConfigDict(frozen=True)

    locations: tuple[str, ...]


def locate(source: Path) -> ExternalData:
    """The locations that model.onnx in the directory `source` names. Raises SourceInvalid for what is not ONNX."""
    from onnx import TensorProto

    from converters.sources.onnx_file import MODEL, parse

    found = {
        entry.value
        for tensor in _tensors(parse(source / MODEL).graph)
        if tensor.data_location == TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    return ExternalData(locations=tuple(sorted(found)))


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    from converters.sources.onnx_structure import subgraphs

    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in subgraphs(attribute):
                yield from _tensors(inner)
