"""Which format a source is in, told from its files."""

from __future__ import annotations

from pathlib import Path

from converters.errors import SourceInvalid
from converters.sources.facts import Format, SourceFacts
from converters.sources.files import plain_files
from registry.spec.tasks import TASKS


def inspect(source: Path, task: str) -> SourceFacts:
    """The facts of the source in the directory `source`. Raises SourceInvalid, with what to do about it."""
    if task not in TASKS:
        raise SourceInvalid(f"There is no task {task[:50]!r}.", f"The tasks are {', '.join(sorted(TASKS))}.")
    if detect(source) is Format.ONNX:
        from converters.sources import onnx_file  # onnx takes half a second to import

        return onnx_file.inspect(source, task)
    if task != "embedding":
        raise SourceInvalid(
            f"A Hugging Face directory cannot be served as the task {task!r}.", "Upload an ONNX file, model.onnx."
        )
    from converters.sources import huggingface

    return huggingface.inspect(source)


def detect(source: Path) -> Format:
    """The format of the files in `source`; an ONNX file wins over weights beside it."""
    names = {str(path.relative_to(source)) for path in plain_files(source)}
    if "model.onnx" in names:
        return Format.ONNX
    if "config.json" in names:
        return Format.HUGGINGFACE
    raise SourceInvalid(
        "The source has neither model.onnx nor config.json at its top.",
        "Upload an ONNX file as model.onnx, or config.json, *.safetensors and tokenizer.json of a Hugging Face model.",
    )
