"""A limit on bodies, enforced while they arrive and before they are in memory."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TOO_LARGE = 413


class BodyLimit:
    """ASGI middleware: a body of more than `limit` bytes ends in 413; `exceptions` gives paths a limit of their own."""

    def __init__(self, app: ASGIApp, limit: int, exceptions: Mapping[str, int]) -> None:
        self._app = app
        self._limit = limit
        self._exceptions = exceptions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._exceptions.get(scope["path"], self._limit)
        announced = _content_length(scope)
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            if announced > limit:
                raise _too_large(limit)
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _too_large(limit)
            return message

        await self._app(scope, receive_limited, send)


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _too_large(limit: int) -> HTTPException:
    # Starlette's own class, because FastAPI turns every other error of reading a body into a 400.
    return HTTPException(_TOO_LARGE, f"The body is larger than {limit} bytes. Send less at a time.")
