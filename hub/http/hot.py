"""Hot routes: one decode and one encode, past the framework's layers, and still on the OpenAPI page.

The messages of these routes are msgspec types. Their JSON Schema is generated from the same types that decode, so
there is one definition and the page cannot drift from what is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from fastapi import FastAPI, Response
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.access.admission import SECURITY
from hub.errors import Unprocessable
from hub.http.problems import DOCUMENTED, answer_to

Message = TypeVar("Message")
Endpoint = Callable[[Request], Awaitable[Response]]

_UNKNOWN_FIELD = re.compile("unknown field `(.*)`")
_BASE64 = "Send the file's bytes in base64 with its padding, without line breaks and without `data:` in front."
_REFERENCE = "#/components/schemas/{name}"


@dataclass(frozen=True)
class HotRoute:
    """`POST path`: what answers it, and the messages it takes and gives."""

    path: str
    endpoint: Endpoint
    body: type[msgspec.Struct]
    answer: type[msgspec.Struct]
    summary: str
    tag: str


class HotRoutes:
    """ASGI middleware that answers hot routes itself and hands everything else to the application.

    FastAPI's ten layers cost as much as the rest of a request does. Only what they do for these routes is done here:
    the application in the scope, and errors turned into answers.
    """

    def __init__(self, app: FastAPI, routes: tuple[HotRoute, ...]) -> None:
        self._app = app
        self._next: ASGIApp = app
        self._endpoints: Mapping[str, Endpoint] = {route.path: route.endpoint for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        endpoint = self._endpoints.get(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None or scope["method"] != "POST":
            await self._next(scope, receive, send)
            return
        scope["app"] = self._app
        scope["state"]["route"] = scope["path"]
        request = Request(scope, receive)
        try:
            response = await endpoint(request)
        except Exception as error:  # the outermost handler: every error becomes an answer
            response = answer_to(request, error)
        await response(scope, receive, send)


def document(app: FastAPI, routes: tuple[HotRoute, ...]) -> None:
    """Register `routes` with FastAPI: they are on the OpenAPI page, and other methods than POST get a 405."""
    for route in routes:
        for message in (route.body, route.answer):
            _, components = msgspec.json.schema_components([message], ref_template=_REFERENCE)
            app.state.message_schemas.update(components)
        answer = {"description": "The answer.", "content": {"application/json": {"schema": _reference(route.answer)}}}
        body = {"required": True, "content": {"application/json": {"schema": _reference(route.body)}}}
        app.add_api_route(
            route.path,
            route.endpoint,
            methods=["POST"],
            response_model=None,
            summary=route.summary,
            tags=[route.tag],
            dependencies=SECURITY,
            responses={**DOCUMENTED, 200: answer},
            openapi_extra={"requestBody": body},
        )


def decode(decoder: msgspec.json.Decoder[Message], body: bytes) -> Message:
    """Read a message. Raises `Unprocessable` naming the field that is wrong."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        text, _, where = str(error).partition(" - at ")
        unknown = _UNKNOWN_FIELD.search(text)
        path = [where.strip("`").removeprefix("$").removeprefix("."), unknown[1] if unknown else ""]
        param = ".".join(filter(None, path)) or None
        if unknown:
            raise Unprocessable(f"{param} is not a field of this request.", param=param, reason="unknown") from error
        remedy = _BASE64 if "base64" in text else None
        message = f"{param}: {text}" if param else text
        raise Unprocessable(message, param=param, reason="type", remedy=remedy) from error
    except RecursionError as error:
        raise Unprocessable("The body is nested too deeply.", reason="json") from error
    except ValueError as error:  # what is not JSON, or not UTF-8
        raise Unprocessable(f"The body is not JSON: {error}", reason="json") from error


def _reference(message: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=message.__name__)}
