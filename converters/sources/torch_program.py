"""From a torch program to ONNX. Loading one may run code: the child alone does it, and only where that is allowed."""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch  # noqa: TID253  (only the child imports this module)
from onnx import helper

from converters.errors import ConversionFailed, SourceInvalid
from converters.sources.facts import Format
from converters.sources.torch_archive import rewrite
from converters.sources.torch_inputs import INPUTS, Inputs, read_inputs

OPSET = 20

_COMPILED = (RuntimeError, ValueError, LookupError)
"""What exceptions of torch's C++ come as."""
_WRITTEN = (*_COMPILED, TypeError, AttributeError, AssertionError, SyntaxError)
"""What torch's Python raises for a program that it cannot read or express: it has no error of its own for that."""


def to_onnx(path: Path, form: Format, threads: int) -> onnx.ModelProto:
    """The inspected program in `path` as an ONNX graph in opset 20, with its weights inside.

    A torch.export archive knows its inputs; those of TorchScript are in `inputs.json` beside it. Raises SourceInvalid
    where the program does not load or run, ConversionFailed where ONNX cannot say what it does.
    """
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as directory, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters' own, about their internals
        archive = Path(directory) / "program.pt2"  # torch warns of other names
        rewrite(path, form, archive)
        return _exported(path, archive) if form is Format.TORCH_EXPORT else _scripted(path, archive)


def _exported(path: Path, archive: Path) -> onnx.ModelProto:
    """From `archive`, which is what is loaded of the owner's `path`."""
    try:
        program = torch.export.load(archive)
    except _WRITTEN as error:
        raise _does_not_load(path) from error
    try:
        made = torch.onnx.export(program, dynamo=True, opset_version=OPSET, external_data=False, verbose=False)
    except torch.onnx.OnnxExporterError as error:
        raise _no_onnx(path) from error
    assert made is not None
    return made.model_proto


def _scripted(path: Path, archive: Path) -> onnx.ModelProto:
    """From `archive` by the exporter for TorchScript: that for torch.export refuses script modules (torch 2.13)."""
    inputs = read_inputs(path.parent / INPUTS)
    try:
        load: Any = torch.jit.load  # untyped
        module = load(str(archive), map_location="cpu").eval()
    except _COMPILED as error:
        raise _does_not_load(path) from error
    outputs = _outputs(module, inputs)
    content: Any = io.BytesIO()  # which the exporter takes, though its types do not say so
    axes = {entry.name: _named(entry.shape) for entry in inputs.inputs}
    try:
        torch.onnx.export(
            module,
            _tensors(inputs, inputs.sizes),
            content,
            dynamo=False,
            opset_version=OPSET,
            input_names=[entry.name for entry in inputs.inputs],
            output_names=[output.name for output in outputs],
            dynamic_axes=axes | {output.name: _named(output.shape) for output in outputs},
        )
    except _WRITTEN as error:
        raise _no_onnx(path) from error
    model = onnx.load_model_from_string(content.getvalue())
    for declared, output in zip(model.graph.output, outputs, strict=True):
        element = declared.type.tensor_type.elem_type
        declared.CopyFrom(helper.make_tensor_value_info(output.name, element, output.shape))
    return model


@dataclass(frozen=True)
class _Output:
    """An output; `shape` has a number for a fixed size and a name for one that changes."""

    name: str
    shape: Sequence[int | str]


def _outputs(module: Any, inputs: Inputs) -> list[_Output]:
    """The outputs and which of their sizes change: those that differ when a size of the inputs is doubled."""
    first = _shapes(module, inputs, inputs.sizes)
    changing: list[list[int | str]] = [list(shape) for shape in first]
    names = inputs.outputs or tuple(f"output_{i}" for i in range(len(first)))
    for size, number in inputs.sizes.items():
        other = _shapes(module, inputs, {**inputs.sizes, size: 2 * number})
        if len(names) != len(first) or [len(s) for s in other] != [len(s) for s in first]:
            raise _does_not_run(f"has {len(first)} outputs, and not always with the dimensions that they had")
        for i, shape in enumerate(first):
            for axis, was in enumerate(shape):
                if other[i][axis] != was:
                    follows = (was, other[i][axis]) == (number, 2 * number)
                    changing[i][axis] = size if follows else f"{names[i]}_{axis}"
    return [_Output(name, shape) for name, shape in zip(names, changing, strict=True)]


def _shapes(module: Any, inputs: Inputs, sizes: Mapping[str, int]) -> list[tuple[int, ...]]:
    examples = _tensors(inputs, sizes)
    shown = ", ".join(str(list(example.shape)) for example in examples)
    try:
        with torch.inference_mode():
            answer = module(*examples)
    except _COMPILED as error:
        raise _does_not_run(f"does not run with inputs of the shapes {shown}") from error
    tensors = [answer] if isinstance(answer, torch.Tensor) else answer
    if not isinstance(tensors, tuple | list) or not all(isinstance(tensor, torch.Tensor) for tensor in tensors):
        raise _does_not_run("answers something other than tensors")
    return [tuple(tensor.shape) for tensor in tensors]


def _tensors(inputs: Inputs, sizes: Mapping[str, int]) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(example) for example in inputs.examples(sizes))


def _named(shape: Sequence[int | str]) -> dict[int, str]:
    return {axis: size for axis, size in enumerate(shape) if isinstance(size, str)}


def _does_not_load(path: Path) -> SourceInvalid:
    return SourceInvalid(
        f"torch {torch.__version__} cannot load {path.name}.",
        "Save the program with that version or an older one, and without custom operators, or export it to ONNX.",
    )


def _does_not_run(why: str) -> SourceInvalid:
    return SourceInvalid(
        f"The TorchScript program {why}.",
        f'Check {INPUTS}: the order and datatypes of the inputs, the names of the outputs, and which sizes ("sizes") '
        "it takes.",
    )


def _no_onnx(path: Path) -> ConversionFailed:
    return ConversionFailed(
        f"torch {torch.__version__} cannot export {path.name} to ONNX: it has no ONNX operators for what it does.",
        "Export the model to ONNX yourself (torch.onnx.export) where its source is, and register model.onnx.",
    )
