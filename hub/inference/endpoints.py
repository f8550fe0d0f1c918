"""The unified route and OpenAI's embeddings: translations onto the plane."""

from __future__ import annotations

import base64
import time
from uuid import UUID

import msgspec
from fastapi import Response
from starlette.requests import Request

from hub.access.admission import admit
from hub.billing.models import CURRENCY
from hub.errors import Unprocessable
from hub.http.hot import HotRoute, decode
from hub.inference.messages import (
    Embedding,
    EmbeddingsAnswer,
    EmbeddingsRequest,
    EmbeddingsUsage,
    InferAnswer,
    InferRequest,
)
from hub.inference.plane import InferencePlane, Invocation
from hub.inference.rows import floats
from hub.inference.tasks.embedding import encode_texts
from hub.inference.tasks.translation import TRANSLATIONS, encode

_infer_decoder = msgspec.json.Decoder(InferRequest)
_embeddings_decoder = msgspec.json.Decoder(EmbeddingsRequest)
_encode = msgspec.json.Encoder().encode


async def infer(request: Request) -> Response:
    """Call any model with parts; which parts depends on the model's task.

    `embedding` takes text parts and answers a tensor part for each. `tensor` takes a tensor part for each input of the
    model and answers one for each output. `classification` takes documents and texts (or tensors) and answers labels,
    `detection` takes images and answers boxes, `ocr` takes images and answers lines, `voice-activity` takes one audio
    part and answers segments.
    """
    caller = await admit(request)
    message = decode(_infer_decoder, await request.body())
    if message.stream:
        raise Unprocessable("No task that is served here streams.", param="stream", remedy="Leave `stream` out.")
    plane: InferencePlane = request.app.state.plane
    target = await plane.resolve(caller, message.model)
    translation = TRANSLATIONS[target.task.name]
    shapes, rows = await encode(translation, message.input, message.parameters, target)
    invocation = await plane.infer(caller, _request_id(request), target, shapes, rows)
    return _respond(
        request,
        invocation,
        InferAnswer(
            id=str(_request_id(request)),
            model=message.model,
            version=target.number,
            task=target.task.name,
            output=list(translation.decode(invocation.answer, message.parameters, target)),
            usage={**invocation.units, "cost": invocation.cost, "currency": CURRENCY},
        ),
    )


async def create_embeddings(request: Request) -> Response:
    """OpenAI's embeddings: one vector for each text, as numbers or as base64 of little-endian FP32.

    A text longer than the model reads is cut, and the answer says by how many tokens.
    """
    caller = await admit(request)
    message = decode(_embeddings_decoder, await request.body())
    plane: InferencePlane = request.app.state.plane
    target = await plane.resolve(caller, message.model)
    if target.task.name != "embedding":
        raise Unprocessable(
            f"{message.model!r} is a model for {target.task.name}.",
            param="model",
            reason="task",
            remedy="Use /v1/infer.",
        )
    size = target.signature.outputs[0].shape[0]
    if message.dimensions not in (None, size):
        raise Unprocessable(f"The vectors of this model have {size} dimensions.", param="dimensions")
    shapes, rows = encode_texts([message.input] if isinstance(message.input, str) else message.input)
    invocation = await plane.infer(caller, _request_id(request), target, shapes, rows)
    return _respond(request, invocation, _embeddings_answer(message, invocation))


ROUTES = (
    HotRoute("/v1/infer", infer, InferRequest, InferAnswer, "Call any model", "Inference"),
    HotRoute(
        "/v1/embeddings",
        create_embeddings,
        EmbeddingsRequest,
        EmbeddingsAnswer,
        "Create embeddings (OpenAI)",
        "Inference",
    ),
)


def _embeddings_answer(message: EmbeddingsRequest, invocation: Invocation) -> EmbeddingsAnswer:
    answer, units = invocation.answer, invocation.units
    as_text = message.encoding_format == "base64"
    data = [
        Embedding(index, base64.b64encode(row[0]).decode() if as_text else floats(row[0]), counts[1])
        for index, (row, counts) in enumerate(zip(answer.rows, answer.usage, strict=True))
    ]
    tokens = units["input_tokens"]
    usage = EmbeddingsUsage(tokens, tokens, units["truncated_tokens"], invocation.cost, CURRENCY)
    return EmbeddingsAnswer(message.model, data, usage)


def _respond(request: Request, invocation: Invocation, answer: msgspec.Struct) -> Response:
    content = _encode(answer)
    overhead = time.perf_counter() - request.scope["state"]["started"] - invocation.answer.seconds
    return Response(
        content,
        media_type="application/json",
        headers={"x-conch-cost": invocation.cost, "x-conch-overhead-ms": f"{overhead * 1000:.2f}"},
    )


def _request_id(request: Request) -> UUID:
    request_id: UUID = request.scope["state"]["request_id"]
    return request_id
