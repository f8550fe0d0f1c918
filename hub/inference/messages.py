"""The messages of the inference routes: what they take, what they give, and what the OpenAPI page shows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

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


class ImagePart(msgspec.Struct, tag="image", tag_field="type", forbid_unknown_fields=True):
    """An image file, JPEG, PNG, WebP or BMP, in base64. What it is, is found in its content."""

    data: bytes


class AudioPart(msgspec.Struct, tag="audio", tag_field="type", forbid_unknown_fields=True):
    """An audio file, WAV, FLAC or Ogg, in base64. What it is, is found in its content."""

    data: bytes


class DocumentPart(msgspec.Struct, tag="document", tag_field="type", forbid_unknown_fields=True):
    """A file of any kind, in base64."""

    data: bytes


Part = TextPart | ImagePart | AudioPart | DocumentPart | TensorPart


class Box(msgspec.Struct):
    """An object in an image: `box` is x1, y1, x2, y2 in pixels of the image, from its upper left."""

    box: list[float]
    label: str
    score: float


class BoxesPart(msgspec.Struct, tag="boxes", tag_field="type"):
    """The objects in one image, the surest first."""

    boxes: list[Box]


class Line(msgspec.Struct):
    """A line of text: `corners` are x, y in pixels of the image, from the line's upper left clockwise."""

    text: str
    score: float
    corners: list[list[float]]


class LinesPart(msgspec.Struct, tag="lines", tag_field="type"):
    """The text in one image: all of it, a line a line, and each line in reading order."""

    text: str
    lines: list[Line]


class Label(msgspec.Struct):
    """A label and how likely it is."""

    label: str
    probability: float


class LabelsPart(msgspec.Struct, tag="labels", tag_field="type"):
    """The likeliest labels of one input, the likeliest first."""

    labels: list[Label]


class Segment(msgspec.Struct):
    """Where somebody speaks, in seconds from the beginning."""

    start: float
    end: float


class SegmentsPart(msgspec.Struct, tag="segments", tag_field="type"):
    """Where there is speech in one recording, and where asked for, how likely it is in each frame."""

    segments: list[Segment]
    frame_seconds: float
    probabilities: list[float] | UnsetType = UNSET


AnswerPart = TensorPart | BoxesPart | LinesPart | LabelsPart | SegmentsPart


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
    output: list[AnswerPart]
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
