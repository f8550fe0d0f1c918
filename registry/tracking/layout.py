"""From MLflow's layout of a model's files to the plain directory that a conversion takes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Protocol

from registry.tracking.errors import SourceRefused
from registry.tracking.mlmodel import Flavour

_OWN = {
    *("MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt", "constraints.txt", "registered_model_meta"),
    *("input_example.json", "serving_input_example.json"),
}
"""What MLflow writes beside a model for its own use."""

_EXTRA = "extra_files"  # where `extra_files=` of a log_model goes: a tokenizer.json beside an ONNX graph, say
_COMPONENTS = ("tokenizer", "feature_extractor", "image_processor", "processor")
_MISSING = "Log the model again with MLflow, as its log_model lays it out."


class _Layout(Protocol):
    def __call__(self, flavour: Flavour, paths: list[str]) -> dict[str, str]: ...


def arrange(flavour: Flavour, paths: Iterable[str]) -> dict[str, str]:
    """The artefact for each path of the plain directory. Raises SourceRefused where the model's own are missing.

    onnx: model.onnx and what lies beside it, which is its external data. transformers: the model's directory with the
    tokenizer and the other components in it. pytorch: model.pt2 or model.pth, which can carry a pickle; it is for the
    inspection to say so. Files given to MLflow as `extra_files` lie at the top in each.
    """
    known = sorted(paths)
    arranged = {**_below(_EXTRA, known), **_LAYOUTS[flavour.name](flavour, known)}
    for path in arranged:
        if not arranged.keys().isdisjoint(str(parent) for parent in PurePosixPath(path).parents):
            raise SourceRefused("Two of the model's files would lie at the same place.", _MISSING)
    return arranged


def _onnx(flavour: Flavour, paths: list[str]) -> dict[str, str]:
    graph = flavour.text("data") or "model.onnx"
    if graph not in paths:
        raise SourceRefused("The model's ONNX file is missing.", _MISSING)
    home = PurePosixPath(graph).parent
    beside = [path for path in paths if PurePosixPath(path).parent == home and path not in _OWN]
    return {**{PurePosixPath(path).name: path for path in beside if path != graph}, "model.onnx": graph}


def _transformers(flavour: Flavour, paths: list[str]) -> dict[str, str]:
    if flavour.text("peft_adaptor"):
        raise SourceRefused("The model is only an adapter (PEFT).", "Call merge_and_unload() and log the whole model.")
    directory = flavour.text("model_binary")
    if directory is None:
        raise SourceRefused(
            "The weights are not in MLflow; the model only names a repository elsewhere.",
            "Call mlflow.transformers.persist_pretrained_model on it, or log it with save_pretrained=True.",
        )
    model = _below(directory, paths)
    if "config.json" not in model:
        raise SourceRefused("The model's config.json is missing.", _MISSING)
    components: dict[str, str] = {}
    for name in reversed(_COMPONENTS):  # the tokenizer's own files count more than a processor's copies of them
        components.update(_below(f"components/{name}", paths))
    return {**model, **{path: source for path, source in components.items() if path != "config.json"}}


def _pytorch(flavour: Flavour, paths: list[str]) -> dict[str, str]:
    data = flavour.text("model_data") or "data"
    for name in ("model.pt2", "model.pth"):
        if f"{data}/{name}" in paths:
            return {name: f"{data}/{name}"}
    raise SourceRefused("The model has neither model.pt2 nor model.pth.", _MISSING)


def _below(directory: str, paths: list[str]) -> dict[str, str]:
    """The artefacts below a directory, by their path in it."""
    prefix = directory.rstrip("/") + "/"
    return {path.removeprefix(prefix): path for path in paths if path.startswith(prefix)}


_LAYOUTS: dict[str, _Layout] = {"onnx": _onnx, "transformers": _transformers, "pytorch": _pytorch}
