"""Errors as the API shows them: one body on every route, 404 and 422 included."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from hub import errors
from hub.errors import ConchError

log = logging.getLogger(__name__)


class ErrorMetadata(BaseModel):
    """What a program needs to react: a finer reason, which limit it was, and what helps."""

    reason: str | None = None
    limit_source: str | None = None
    remedy_hint: str | None = None


class ErrorDetail(BaseModel):
    """One error."""

    message: str
    type: str
    param: str | None = None
    code: str
    metadata: ErrorMetadata


class ErrorBody(BaseModel):
    """The body of every answer that is not a success."""

    error: ErrorDetail
    request_id: str


def error_body(error: ConchError, correlation_id: str) -> dict[str, Any]:
    """The JSON of an error; also the one frame of a stream that failed."""
    return {
        "error": {
            "message": error.message,
            "type": error.type,
            "param": error.param,
            "code": error.code,
            "metadata": {
                "reason": error.reason,
                "limit_source": error.limit_source,
                "remedy_hint": error.remedy,
            },
        },
        "request_id": correlation_id,
    }


def error_response(request: Request, error: ConchError, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a request that failed with `error`."""
    extra = dict(headers or {})
    if error.retry_after is not None:
        extra["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    body = error_body(error, getattr(request.state, "correlation_id", ""))
    return JSONResponse(body, status_code=error.status, headers=extra)


_BY_STATUS: dict[int, type[ConchError]] = {
    kind.status: kind
    for kind in (errors.NotFound, errors.MethodNotAllowed, errors.TooLarge, errors.Unauthenticated, errors.Forbidden)
}

DOCUMENTED: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": text}
    for status, text in {
        400: "The request cannot be read at all.",
        401: "The key is missing or not valid.",
        403: "The key may not do this.",
        404: "Not there, or not yours.",
        405: "Not with this method.",
        409: "The state does not allow it.",
        413: "The body is too large.",
        422: "The body is not what the route takes.",
        429: "Too many requests; `Retry-After` says how long to wait.",
        503: "A part the hub needs is away.",
    }.items()
}


def install(app: FastAPI) -> None:
    """Register the one mapping from exceptions to answers."""

    @app.exception_handler(ConchError)
    async def conch_error(request: Request, error: ConchError) -> Response:
        return error_response(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path", "header"))
        message = f"{where}: {first['msg']}" if where else str(first["msg"])
        return error_response(request, errors.Unprocessable(message, param=where or None, reason=first["type"]))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        kind = _BY_STATUS.get(error.status_code, errors.Unprocessable)
        raised = kind(str(error.detail))
        response = error_response(request, raised, error.headers)
        response.status_code = error.status_code
        return response

    @app.exception_handler(ClientDisconnect)
    async def client_gone(request: Request, _error: ClientDisconnect) -> Response:
        return error_response(request, errors.Unprocessable("The body ended before it was complete."))

    @app.exception_handler(OperationalError)
    @app.exception_handler(InterfaceError)
    @app.exception_handler(PoolTimeout)
    async def database_away(request: Request, error: Exception) -> Response:
        log.warning("database away: %s", error)
        return error_response(
            request,
            errors.Unavailable("The database is not reachable at the moment.", reason="database", retry_after=1),
        )

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        log.error("unhandled error on %s %s", request.method, request.url.path, exc_info=error)
        return error_response(request, ConchError("An unexpected error occurred; it was logged."))
