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
from hub.observability.metrics import Metrics
from registry.spec.names import IN_WORDS

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
    metrics: Metrics = request.app.state.metrics
    metrics.failed(error.code)
    extra = dict(headers or {})
    if error.retry_after is not None:
        extra["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    body = error_body(error, getattr(request.state, "correlation_id", ""))
    return JSONResponse(body, status_code=error.status, headers=extra)


_BY_STATUS: dict[int, type[ConchError]] = {
    kind.status: kind
    for kind in (errors.NotFound, errors.MethodNotAllowed, errors.TooLarge, errors.Unauthenticated, errors.Forbidden)
}

_IN_WORDS = {
    "Not Found": ("There is no such route.", "/docs lists the routes."),
    "Method Not Allowed": ("The route does not take this method.", "/docs lists the routes and their methods."),
}
"""What the framework says, as a message and a remedy."""

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


def answer_to(request: Request, error: Exception) -> Response:
    """The one mapping from exceptions to answers."""
    if isinstance(error, ConchError):
        answer = error
    elif isinstance(error, RequestValidationError):
        answer = _invalid(error)
    elif isinstance(error, HTTPException):
        return _http_error(request, error)
    elif isinstance(error, ClientDisconnect):
        answer = errors.Unprocessable("The body ended before it was complete.", reason="incomplete_body")
    elif isinstance(error, OperationalError | InterfaceError | PoolTimeout):
        log.warning("database away: %s", error)
        answer = errors.Unavailable("The database does not answer at the moment.", reason="database", retry_after=1)
    else:
        log.error("unhandled error on %s %s", request.method, request.url.path, exc_info=error)
        answer = ConchError("An unexpected error occurred; it was logged.")
    return error_response(request, answer)


def install(app: FastAPI) -> None:
    """Have FastAPI answer errors with `answer_to`."""

    async def handle(request: Request, error: Exception) -> Response:
        return answer_to(request, error)

    for kind in (
        ConchError,
        RequestValidationError,
        HTTPException,
        ClientDisconnect,
        OperationalError,
        InterfaceError,
        PoolTimeout,
        Exception,
    ):
        app.add_exception_handler(kind, handle)


def _invalid(error: RequestValidationError) -> ConchError:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return errors.Unprocessable(f"The body is not JSON: {first['ctx']['error']}", reason="json")
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path", "header", "[key]"))
    text = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "string_pattern_mismatch":
        text = IN_WORDS.get(first["ctx"]["pattern"], text)
    return errors.Unprocessable(f"{where}: {text}" if where else text, param=where or None, reason=first["type"])


def _http_error(request: Request, error: HTTPException) -> Response:
    kind = _BY_STATUS.get(error.status_code, errors.Unprocessable)
    message, remedy = _IN_WORDS.get(str(error.detail), (str(error.detail), None))
    response = error_response(request, kind(message, remedy=remedy), error.headers)
    response.status_code = error.status_code
    return response
