"""What the client raises."""

from __future__ import annotations

from typing import Any

import httpx


class ApiError(Exception):
    """The hub refused a call; the message is the hub's own, with its remedy."""

    def __init__(self, status: int, code: str, message: str, remedy: str | None, request_id: str | None) -> None:
        super().__init__(f"{message} {remedy}" if remedy else message)
        self.status = status
        self.code = code
        self.message = message
        self.remedy = remedy
        self.request_id = request_id

    @classmethod
    def from_response(cls, response: httpx.Response) -> ApiError:
        """The error an answer carries; also for an answer that is not the hub's, such as a proxy's."""
        try:
            body: dict[str, Any] = response.json()
            error = body["error"]
            remedy = error["metadata"]["remedy_hint"]
            return cls(response.status_code, error["code"], error["message"], remedy, body["request_id"])
        except (ValueError, KeyError, TypeError):
            return cls(
                response.status_code, "unknown", f"HTTP {response.status_code}: {response.text[:200]}", None, None
            )
