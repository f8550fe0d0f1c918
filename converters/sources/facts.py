"""What inspection finds out about a source without running any of it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from registry.spec.embedding import Pooling


class Format(StrEnum):
    """How the model is written down."""

    HUGGINGFACE = "huggingface"
    ONNX = "onnx"


class TextFacts(BaseModel):
    """How texts become vectors; `dimensions` is None where only a run of the graph can tell."""

    model_config = ConfigDict(frozen=True)

    max_tokens: int
    pooling: Pooling
    normalize: bool
    dimensions: int | None


class SourceFacts(BaseModel):
    """A source that passed inspection. `size` is in bytes, over all its files; `text` is for the task `embedding`."""

    model_config = ConfigDict(frozen=True)

    format: Format
    task: str
    architecture: str
    parameters: int
    size: int
    text: TextFacts | None
