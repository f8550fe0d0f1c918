"""What every error of the API must look like."""

from __future__ import annotations

from typing import Any

import httpx


def assert_problem(
    answer: httpx.Response, status: int, code: str | None = None, *, reason: str | None = None, param: str | None = None
) -> dict[str, Any]:
    """The answer is an error with the one body, tells nothing of the inside, and is what is expected; its `error`."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error", "request_id"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"message", "type", "param", "code", "metadata"}
    assert set(error["metadata"]) == {"reason", "limit_source", "remedy_hint"}
    assert error["message"]
    assert body["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    assert "/tmp" not in answer.text
    if code is not None:
        assert error["code"] == code
    if reason is not None:
        assert error["metadata"]["reason"] == reason
    if param is not None:
        assert error["param"] == param
    return error
