"""Which format a source is in, told from its files, and which formats a task takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from converters.errors import SourceInvalid
from converters.sources.facts import Format, SourceFacts
from converters.sources.files import is_calibration, plain_files
from registry.spec.tasks import TASKS

_GRAPH = (Format.ONNX, Format.TORCH_EXPORT, Format.TORCHSCRIPT)
FORMATS: Mapping[str, tuple[Format, ...]] = {
    "embedding": (Format.HUGGINGFACE, *_GRAPH),
    "ocr": (Format.ONNX_BUNDLE,),
    "transcription": (Format.CTRANSLATE2,),
    "chat": (Format.GGUF, Format.HUGGINGFACE),
    **dict.fromkeys(("tensor", "classification", "detection", "voice-activity", "speech"), _GRAPH),
}
"""The formats that each task takes."""

_AS = {
    Format.HUGGINGFACE: "a Hugging Face directory (config.json, *.safetensors, tokenizer.json)",
    Format.ONNX: "an ONNX file (model.onnx)",
    Format.ONNX_BUNDLE: "several ONNX files (det.onnx, rec.onnx, optionally cls.onnx)",
    Format.TORCH_EXPORT: "a torch.export archive (*.pt2)",
    Format.TORCHSCRIPT: "a TorchScript file (*.pt with inputs.json)",
    Format.GGUF: "a GGUF file (*.gguf)",
    Format.CTRANSLATE2: "a CTranslate2 directory (model.bin, config.json, vocabulary)",
}
_TORCH = (".pt2", ".pt", ".pth", ".ts", ".jit")


def inspect(source: Path, task: str, allow_pickle: bool = False) -> SourceFacts:
    """The facts of the source in the directory `source`. Raises SourceInvalid, with what to do about it.

    `allow_pickle` says whether formats that can carry a pickle are opened, which is the operator's to decide.
    """
    if task not in TASKS:
        raise SourceInvalid(f"There is no task {task[:50]!r}.", f"The tasks are {', '.join(sorted(TASKS))}.")
    form, path = detect(source)
    if form not in FORMATS[task]:
        taken = " or ".join(_AS[form] for form in FORMATS[task])
        raise SourceInvalid(f"The source is {_AS[form]}, which the task {task} does not take.", f"Upload {taken}.")
    return _inspect(form, source, path, task, allow_pickle)


def _inspect(form: Format, source: Path, path: Path, task: str, allow_pickle: bool) -> SourceFacts:
    """Imports are here because each takes up to half a second."""
    if form is Format.ONNX:
        from converters.sources import onnx_file

        return onnx_file.inspect(source, task, path.name)
    if form is Format.ONNX_BUNDLE:
        from converters.sources import onnx_bundle

        return onnx_bundle.inspect(source, task)
    if form is Format.GGUF:
        from converters.sources import gguf_file

        return gguf_file.inspect(source, path, task)
    if form is Format.CTRANSLATE2:
        from converters.sources import ctranslate2_directory

        return ctranslate2_directory.inspect(source, task)
    if form is Format.HUGGINGFACE:
        from converters.sources import huggingface

        return huggingface.inspect_chat(source, task) if task == "chat" else huggingface.inspect(source)
    from converters.sources import torch_archive

    return torch_archive.inspect(source, path, task, allow_pickle=allow_pickle)


def detect(source: Path) -> tuple[Format, Path]:
    """The format of the files in `source`, and the model's file: of several formats, the one that is safest to open."""
    top = [path for path in plain_files(source) if path.parent == source and not is_calibration(path.name)]
    named = {path.name: path for path in top}
    if {"det.onnx", "rec.onnx"} & named.keys():
        return Format.ONNX_BUNDLE, source / "det.onnx"
    if found := _single(top, (".onnx",), "model.onnx"):
        return Format.ONNX, found
    if found := _single(top, (".gguf",), "model.gguf"):
        return Format.GGUF, found
    if {"model.bin", "config.json"} <= named.keys() and not _has_safetensors(top):
        return Format.CTRANSLATE2, named["model.bin"]
    if "config.json" in named and not _only_torch(top):
        return Format.HUGGINGFACE, named["config.json"]
    if found := _single(top, _TORCH, "model.pt2"):
        from converters.sources import torch_archive

        return torch_archive.format_of(found), found
    raise SourceInvalid(
        "The source has no model at its top.",
        f"Upload {', or '.join(_AS.values())}.",
    )


def _single(top: list[Path], suffixes: tuple[str, ...], preferred: str) -> Path | None:
    """The one file with such a suffix, or of several the one with the preferred name."""
    found = [path for path in top if path.suffix in suffixes]
    if len(found) > 1:
        found = [path for path in found if path.name == preferred]
        if not found:
            raise SourceInvalid(
                f"The source has several {suffixes[0]} files at its top, and none is {preferred}.",
                f"Name the model {preferred}, or upload it alone.",
            )
    return found[0] if found else None


def _has_safetensors(top: list[Path]) -> bool:
    return any(path.suffix == ".safetensors" for path in top)


def _only_torch(top: list[Path]) -> bool:
    """A torch program beside which some configuration happens to lie."""
    return not _has_safetensors(top) and any(path.suffix in _TORCH for path in top)
