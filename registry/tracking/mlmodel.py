"""The file MLmodel, in which MLflow says what a model is. It is read as text and never believed to be harmless."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.tracking.errors import SourceRefused, shown

BYTES = 1024**2  # a model with thousands of typed columns has some 100 kB

FLAVOURS = ("onnx", "transformers", "pytorch")
"""Those that a conversion starts from, the most direct first."""

_NOTHING = ("", "~", "null", "None")
_MALFORMED = "Log the model again with mlflow.onnx, mlflow.transformers or mlflow.pytorch."


@dataclass(frozen=True)
class Flavour:
    """The flavour to convert from, with the entries that MLmodel has for it, all of them text, lists or mappings."""

    name: str
    entries: Mapping[str, Any]

    def text(self, entry: str) -> str | None:
        """The entry where it is a text and not one of YAML's words for nothing."""
        value = self.entries.get(entry)
        return value if isinstance(value, str) and value not in _NOTHING else None


def read(path: Path) -> Flavour:
    """The flavour that MLmodel names. Raises SourceRefused where there is none to convert, or it comes with code."""
    document = _parse(path)
    flavours = document.get("flavors")
    if not isinstance(flavours, dict) or not all(isinstance(entries, dict) for entries in flavours.values()):
        raise SourceRefused("MLmodel names no flavours.", _MALFORMED)
    for name in sorted(flavours):
        _refuse_code(name, flavours[name])
    for name in FLAVOURS:
        if name in flavours:
            return Flavour(name, flavours[name])
    there = ", ".join(shown(name) for name in sorted(flavours)[:10]) or "none"
    raise SourceRefused(
        f"The model's flavour cannot be converted; it has: {there}.",
        "Log it with mlflow.onnx, mlflow.transformers or mlflow.pytorch; export other models to ONNX first.",
    )


def _parse(path: Path) -> dict[str, Any]:
    """The mapping in `path`, with every scalar as text.

    YAML's base loader makes nothing but texts, lists and mappings. The safe one also computes: merge keys that grow
    exponentially, and numbers to the base of 60 with a million digits.
    """
    import yaml  # type: ignore[import-untyped]

    try:
        document = yaml.BaseLoader(path.read_text("utf-8")).get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SourceRefused("MLmodel does not hold valid YAML.", _MALFORMED) from error
    if not isinstance(document, dict):
        raise SourceRefused("MLmodel does not hold a mapping.", _MALFORMED)
    return document


def _refuse_code(name: str, entries: Mapping[str, Any]) -> None:
    if entries.get("code") not in (None, *_NOTHING):
        raise SourceRefused(
            f"The model comes with Python code of its own (code_paths of {shown(name)}), and Conch runs none.",
            "Log it without code_paths, or export it to ONNX.",
        )
