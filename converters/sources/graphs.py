"""The float graphs of an inspected source, whichever format they are written in."""

from __future__ import annotations

from pathlib import Path

import onnx

from converters.errors import SourceInvalid
from converters.sources import onnx_file
from converters.sources.facts import Format, SourceFacts
from registry.spec.embedding import TASK as EMBEDDING

PROGRAMS = (Format.TORCH_EXPORT, Format.TORCHSCRIPT)


def load_graphs(source: Path, facts: SourceFacts, threads: int) -> dict[str, onnx.ModelProto]:
    """The graph of each part of `facts.files` with its weights inside: ONNX as it is, torch programs exported to it.

    Only the child calls this: loading a torch program may run code. Raises SourceInvalid or ConversionFailed.
    """
    if facts.format in (Format.ONNX, Format.ONNX_BUNDLE):
        return {part: onnx_file.load(source, name) for part, name in facts.files.items()}
    assert facts.format in PROGRAMS, f"{facts.format} has no graphs"
    from converters.sources import torch_program

    name = facts.files["model"]
    model = torch_program.to_onnx(source / name, facts.format, threads)
    try:
        onnx_file.check(model, source, "the exported graph")
        if facts.task == EMBEDDING.name:
            onnx_file.check_text_inputs(model)
            onnx_file.token_vectors(model)
    except SourceInvalid as error:
        raise SourceInvalid(f"{name} was exported to ONNX. {error.message}", error.remedy) from error
    return {"model": model}
