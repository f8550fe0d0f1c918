"""The messages of the inference routes: what they take, what they give, and what the OpenAPI page shows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

MAX_INPUTS = 2048
"""As many inputs as OpenAI takes in one request."""

MAX_TEXT_CHARACTERS = 250_000
"""Far more than any model here reads; tokenising costs a second for a million, and what is cut off is not billed."""

ModelName = Annotated[str, Meta(min_length=1, max_length=200, description="`[tenant/]model[@alias | :number]`")]
Text = Annotated[str, Meta(max_length=MAX_TEXT_CHARACTERS)]
Dimension = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"
]


class TextPart(msgspec.Struct, tag="text", tag_field="type", forbid_unknown_fields=True):
    """A text."""

    text: Text


class TensorPart(msgspec.Struct, tag="tensor", tag_field="type", forbid_unknown_fields=True):
    """A tensor, its elements flat in row-major order."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    datatype: Datatype
    shape: Annotated[list[Dimension], Meta(min_length=1, max_length=8)]
    data: list[Any]


Part = TextPart | TensorPart


class InferRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A call of any model: its parts depend on the model's task."""

    model: ModelName
    input: Annotated[list[Part], Meta(min_length=1, max_length=MAX_INPUTS)]
    parameters: dict[str, Any] = {}
    stream: bool = False


class InferAnswer(msgspec.Struct):
    """What a model answered, what that consumed, and what it costs."""

    id: str
    model: str
    version: int
    task: str
    output: list[TensorPart]
    usage: dict[str, int | str]


class EmbeddingsRequest(msgspec.Struct, forbid_unknown_fields=True):
    """OpenAI's embeddings request. Texts only: token ids would mean nothing without knowing the tokenizer."""

    model: ModelName
    input: Text | Annotated[list[Text], Meta(min_length=1, max_length=MAX_INPUTS)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Meta(ge=1, le=65536)] | None = None
    user: Annotated[str, Meta(max_length=512)] | None = None


class Embedding(msgspec.Struct):
    """One vector. `truncated_tokens` is more than 0 where the text was longer than the model reads."""

    index: int
    embedding: list[float] | str
    truncated_tokens: int
    object: Literal["embedding"] = "embedding"


class EmbeddingsUsage(msgspec.Struct):
    """OpenAI's usage, and what Conch adds to it: tokens that were cut off, and the cost."""

    prompt_tokens: int
    total_tokens: int
    truncated_tokens: int
    cost: str
    currency: str


class EmbeddingsAnswer(msgspec.Struct):
    """OpenAI's embeddings answer."""

    model: str
    data: list[Embedding]
    usage: EmbeddingsUsage
    object: Literal["list"] = "list"
