"""What can go wrong, in the words of the domain. Each error knows its status, its code and its remedy.

ConchError
 ├─ Unauthenticated 401      ├─ Conflict 409         ├─ Unprocessable 422
 ├─ Forbidden 403            ├─ TooLarge 413         ├─ RateLimited 429
 └─ NotFound 404             └─ MethodNotAllowed 405 └─ Unavailable 503
"""

from __future__ import annotations

from typing import ClassVar


class ConchError(Exception):
    """An error that a caller is told about, in the one body that every route answers with.

    `remedy` says what the caller can do; `param` names the offending field; `reason` refines `code` for programs.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: ClassVar[str] = "internal"

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        reason: str | None = None,
        remedy: str | None = None,
        limit_source: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.reason = reason
        self.remedy = remedy
        self.limit_source = limit_source
        self.retry_after = retry_after


class Unauthenticated(ConchError):
    """The key is missing, malformed, unknown, expired or revoked."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class Forbidden(ConchError):
    """The key is good, but not for this."""

    status = 403
    type = "permission_error"
    code = "not_allowed"


class NotFound(ConchError):
    """Not there, or not yours: the same answer, so that nobody learns which."""

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class MethodNotAllowed(ConchError):
    """The route exists, but not for this method."""

    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class Conflict(ConchError):
    """The object is in a state that does not allow this, or exists already."""

    status = 409
    type = "invalid_request_error"
    code = "conflict"


class TooLarge(ConchError):
    """The body is larger than the hub accepts."""

    status = 413
    type = "invalid_request_error"
    code = "too_large"


class Unprocessable(ConchError):
    """The body is not what the route takes."""

    status = 422
    type = "invalid_request_error"
    code = "invalid_request"


class RateLimited(ConchError):
    """The key has used up its rate; `retry_after` says for how long."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class Unavailable(ConchError):
    """A part the hub needs is away or at its capacity; trying again later is right."""

    status = 503
    type = "server_error"
    code = "unavailable"
