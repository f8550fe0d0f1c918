"""Reading bodies with a limit, before they are in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from hub.errors import TooLarge, Unprocessable


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body. Raises `TooLarge` as soon as more than `limit` bytes are announced or have come."""
    return b"".join([chunk async for chunk in stream_body(request, limit)])


async def stream_body(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body chunk by chunk, with the same limit."""
    announced = request.headers.get("content-length")
    if announced is not None and announced.isdigit() and int(announced) > limit:
        raise _too_large(limit)
    received = 0
    try:
        async for chunk in request.stream():
            received += len(chunk)
            if received > limit:
                raise _too_large(limit)
            yield chunk
    except ClientDisconnect as error:
        raise Unprocessable("The body ended before it was complete.", reason="incomplete_body") from error


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes.", remedy="Send less at a time.", reason="body_bytes")
