"""The gate of every route but the public ones: whose key it is, and whether its rate allows one more request."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.requests import Request
from starlette.responses import Response

from hub.access.authenticator import Authenticator
from hub.access.limiter import RateExceeded, RequestLimiter
from hub.access.principal import Principal

_bearer = HTTPBearer(auto_error=False, description="`Authorization: Bearer conch_live_…`")
_header = APIKeyHeader(name="x-api-key", auto_error=False, description="The same key, as `x-api-key`.")


async def admit(request: Request) -> Principal:
    """Authenticate the request and count it; the limit headers go out with whatever is answered.

    Raises `Unauthenticated`, `RateExceeded` or `Unavailable`.
    """
    authenticator: Authenticator = request.app.state.authenticator
    limiter: RequestLimiter = request.app.state.limiter
    headers = request.headers
    principal = await authenticator.authenticate(headers.get("authorization"), headers.get("x-api-key"))
    try:
        rate = await limiter.acquire(principal.key_id, principal.requests_per_minute)
    except RateExceeded as exceeded:
        request.scope["state"]["headers"] = exceeded.rate.headers()
        raise
    request.scope["state"]["headers"] = rate.headers()
    return principal


class KeyedRoute(APIRoute):
    """A route that looks at the key before anything else: FastAPI alone reads and parses the body first."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind the gate."""
        handler = super().get_route_handler()

        async def keyed(request: Request) -> Response:
            request.scope["state"]["principal"] = await admit(request)
            return await handler(request)

        return keyed


def _caller(request: Request) -> Principal:
    principal: Principal = request.scope["state"]["principal"]
    return principal


Caller = Annotated[Principal, Depends(_caller)]
"""Whoever makes the call, on a `KeyedRoute`."""

SECURITY = [Security(_bearer), Security(_header)]
"""Documents the two ways to send a key; `admit` is what checks it."""


def keyed_router(tag: str) -> APIRouter:
    """A router whose routes all need a key."""
    return APIRouter(tags=[tag], route_class=KeyedRoute, dependencies=SECURITY)
