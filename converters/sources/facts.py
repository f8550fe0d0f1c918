"""What inspection finds out about a source without running any of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from registry.spec.embedding import Pooling


class Format(StrEnum):
    """How the model is written down."""

    HUGGINGFACE = "huggingface"
    ONNX = "onnx"
    ONNX_BUNDLE = "onnx-bundle"
    TORCH_EXPORT = "torch-export"
    TORCHSCRIPT = "torchscript"
    GGUF = "gguf"
    CTRANSLATE2 = "ctranslate2"


class TextFacts(BaseModel):
    """How texts become vectors; `dimensions` is None where only a run of the graph can tell."""

    model_config = ConfigDict(frozen=True)

    max_tokens: int
    pooling: Pooling
    normalize: bool
    dimensions: int | None


class ChatFacts(BaseModel):
    """A language model: tokens it reads at most and knows, layers, and how a conversation becomes a prompt.

    `chat_template` is the owner's Jinja source, to be rendered in a sandbox only; None where the source has none.
    `weights` are the elements by the datatype they are stored in.
    """

    model_config = ConfigDict(frozen=True)

    max_tokens: int
    vocabulary: int
    layers: int
    chat_template: str | None
    weights: Mapping[str, int]


class SpeechFacts(BaseModel):
    """A speech recogniser of Whisper's shape; `weights` are the elements by the datatype they are stored in."""

    model_config = ConfigDict(frozen=True)

    mel_bins: int
    vocabulary: int
    multilingual: bool
    encoder_layers: int
    decoder_layers: int
    weights: Mapping[str, int]


class SourceFacts(BaseModel):
    """A source that passed inspection. `size` is in bytes, over all its files.

    `files` are the model's own by part, relative to the source: most formats have only the part `model`. `text` is for
    the task `embedding`, `chat` for `chat`, `speech` for `transcription`.
    """

    model_config = ConfigDict(frozen=True)

    format: Format
    task: str
    architecture: str
    parameters: int
    size: int
    files: Mapping[str, str] = {}
    text: TextFacts | None = None
    chat: ChatFacts | None = None
    speech: SpeechFacts | None = None
