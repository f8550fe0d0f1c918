"""`runtime.json`: what the code inside Triton needs to know about the graphs it runs.

Each class is one task's settings, and its fields are the file's keys: what a conversion writes is what is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from enum import EnumType
from pathlib import Path
from types import MappingProxyType, NoneType, UnionType
from typing import Any, cast, get_args, get_origin, get_type_hints

from registry.spec.classification import ClassificationSettings
from registry.spec.detection import DetectionSettings
from registry.spec.embedding import Pooling
from registry.spec.ocr import OcrSettings


@dataclass(frozen=True, kw_only=True)
class _Runtime:
    """What all of them have.

    `exact_x86` is for INT8 graphs on processors without VNNI (see `registry.spec.session`). `hardware_class` is the
    only class of processor that an INT8 graph may serve on; a float graph serves everywhere and has none.
    """

    exact_x86: bool
    hardware_class: str = ""


@dataclass(frozen=True)
class EmbeddingRuntime(_Runtime):
    """Settings of a published embedding model: `model.onnx` and `tokenizer.json` lie beside it.

    `inputs` are the graph's inputs out of `input_ids`, `attention_mask` and `token_type_ids`, in any order; `output`
    is its output of token vectors FP32 [rows, tokens, dimensions]. `batch_tokens` caps rows × padded tokens of one run.
    """

    inputs: tuple[str, ...]
    output: str
    dimensions: int
    max_tokens: int
    pooling: Pooling
    normalize: bool
    batch_tokens: int = 4096
    task: str = "embedding"


@dataclass(frozen=True)
class TensorRuntime(_Runtime):
    """Settings of a published tensor model: `model.onnx` lies beside it."""

    task: str = "tensor"


@dataclass(frozen=True)
class ClassificationRuntime(_Runtime):
    """Settings of a published classifier: the graph `model` lies beside it."""

    classifier: ClassificationSettings
    task: str = "classification"


@dataclass(frozen=True)
class DetectionRuntime(_Runtime):
    """Settings of a published detector: the graph `model` lies beside it."""

    detector: DetectionSettings
    task: str = "detection"


@dataclass(frozen=True)
class OcrRuntime(_Runtime):
    """Settings of a published reader: the graphs that `reader.inputs` names lie beside it."""

    reader: OcrSettings
    task: str = "ocr"


@dataclass(frozen=True)
class VoiceActivityRuntime(_Runtime):
    """Settings of a published detector of speech: the graph `model`, which takes `inputs`, lies beside it."""

    inputs: tuple[str, ...]
    task: str = "voice-activity"


RuntimeSettings = (
    EmbeddingRuntime | TensorRuntime | ClassificationRuntime | DetectionRuntime | OcrRuntime | VoiceActivityRuntime
)

FILE = "runtime.json"

_RUNTIMES: Mapping[str, Any] = MappingProxyType({kind.task: kind for kind in get_args(RuntimeSettings)})


def write(settings: RuntimeSettings, path: Path) -> None:
    """Write `settings` as JSON with sorted keys, so that the same settings are the same bytes."""
    path.write_text(json.dumps(asdict(settings), sort_keys=True, indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> RuntimeSettings:
    """Read what `write` wrote. Raises ValueError for a task that has no runtime."""
    data = json.loads(path.read_text(encoding="utf-8"))
    if data["task"] not in _RUNTIMES:
        raise ValueError(f"no runtime for the task {data['task']!r}")
    settings: RuntimeSettings = _built(_RUNTIMES[data["task"]], data)
    return settings


def _built(kind: Any, value: Any) -> Any:
    """`value`, as JSON has it, as the `kind` that a field is annotated with."""
    if get_origin(kind) is UnionType:  # of something and None
        (kind,) = (member for member in get_args(kind) if member is not NoneType)
        return None if value is None else _built(kind, value)
    if is_dataclass(kind):
        hints, make = get_type_hints(kind), cast(Callable[..., Any], kind)
        return make(**{name: _built(hints[name], entry) for name, entry in value.items()})
    if get_origin(kind) is tuple:
        return tuple(value)
    return kind(value) if isinstance(kind, EnumType) else value
