"""`runtime.json`: what the code inside Triton needs to know about the graph it runs.

`hardware_class` is the only class of processor that an INT8 graph may serve on; a float graph serves everywhere and has
none.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from registry.spec.embedding import Pooling


@dataclass(frozen=True)
class EmbeddingRuntime:
    """Settings of a published embedding model: `model.onnx` and `tokenizer.json` lie beside it.

    `inputs` are the graph's inputs out of `input_ids`, `attention_mask` and `token_type_ids`, in any order; `output`
    is its output of token vectors FP32 [rows, tokens, dimensions]. `batch_tokens` caps rows × padded tokens of one run;
    `exact_x86` is for INT8 graphs on processors without VNNI (see `registry.spec.session`).
    """

    inputs: tuple[str, ...]
    output: str
    dimensions: int
    max_tokens: int
    pooling: Pooling
    normalize: bool
    exact_x86: bool
    batch_tokens: int = 4096
    hardware_class: str = ""
    task: str = "embedding"


@dataclass(frozen=True)
class TensorRuntime:
    """Settings of a published tensor model: `model.onnx` lies beside it."""

    exact_x86: bool
    hardware_class: str = ""
    task: str = "tensor"


RuntimeSettings = EmbeddingRuntime | TensorRuntime


def write(settings: RuntimeSettings, path: Path) -> None:
    """Write `settings` as JSON with sorted keys, so that the same settings are the same bytes."""
    path.write_text(json.dumps(asdict(settings), sort_keys=True, indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> RuntimeSettings:
    """Read what `write` wrote. Raises ValueError for a task that has no runtime."""
    data = json.loads(path.read_text(encoding="utf-8"))
    if data["task"] == "embedding":
        return EmbeddingRuntime(**{**data, "inputs": tuple(data["inputs"]), "pooling": Pooling(data["pooling"])})
    if data["task"] == "tensor":
        return TensorRuntime(**data)
    raise ValueError(f"no runtime for the task {data['task']!r}")
