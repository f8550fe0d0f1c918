"""The gate of every route but the public ones: whose key it is, and whether its rate allows one more request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.requests import Request

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


Caller = Annotated[Principal, Depends(admit)]

SECURITY = [Security(_bearer), Security(_header)]
"""Documents the two ways to send a key; `admit` is what checks it."""
