"""Hot routes: no dependency solving, one decode and one encode, and still on the OpenAPI page.

The messages of these routes are msgspec types. Their JSON Schema is generated from the same types that decode, so
there is one definition and the page cannot drift from what is accepted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import msgspec
from fastapi import FastAPI, Response
from fastapi.routing import APIRoute
from starlette.requests import Request

from hub.access.admission import SECURITY
from hub.errors import Unprocessable
from hub.http.problems import DOCUMENTED

Message = TypeVar("Message")

_REFERENCE = "#/components/schemas/{name}"


class RawRoute(APIRoute):
    """A route whose endpoint takes the request and gives the response, with nothing in between."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint itself."""
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


def add_raw_route(
    app: FastAPI,
    path: str,
    endpoint: Callable[[Request], Awaitable[Response]],
    *,
    body: type[msgspec.Struct],
    answer: type[msgspec.Struct],
    summary: str,
    tag: str,
) -> None:
    """Register `POST path`, documented by the messages it takes and gives."""
    for message in (body, answer):
        _, components = msgspec.json.schema_components([message], ref_template=_REFERENCE)
        app.state.message_schemas.update(components)
    app.router.add_api_route(
        path,
        endpoint,
        methods=["POST"],
        route_class_override=RawRoute,
        response_model=None,
        summary=summary,
        description=endpoint.__doc__,
        tags=[tag],
        dependencies=SECURITY,
        responses={
            **DOCUMENTED,
            200: {"description": "The answer.", "content": {"application/json": {"schema": _reference(answer)}}},
        },
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": _reference(body)}}}
        },
    )


def decode(decoder: msgspec.json.Decoder[Message], body: bytes) -> Message:
    """Read a message. Raises `Unprocessable` naming the field that is wrong."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        text, _, where = str(error).partition(" - at ")
        param = where.strip("`").removeprefix("$").removeprefix(".") or None
        raise Unprocessable(f"{param}: {text}" if param else text, param=param, reason="type") from error
    except ValueError as error:  # what is not JSON, or not UTF-8
        raise Unprocessable(f"The body is not JSON: {error}", reason="json") from error


def _reference(message: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=message.__name__)}
