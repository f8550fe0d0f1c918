"""The rate of a key over HTTP: headers on every answer, and 429 with the time to wait."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.hub.problems import assert_problem
from tests.hub.stack import Stack, tiny_part


@pytest.fixture
def slow(stack: Stack, tenant: httpx.Client) -> Iterator[httpx.Client]:
    """A client whose key may make three requests a minute."""
    created = tenant.post("/v1/keys", json={"name": "slow", "scopes": ["infer"], "requests_per_minute": 3})
    with stack.client(created.json()["secret"]) as client:
        yield client


def test_headers_count_down_to_a_429(slow: httpx.Client) -> None:
    for remaining in (2, 1, 0):
        answer = slow.post("/v1/infer", json={"model": "tiny", "input": [tiny_part(1, 2, 3, 4)]})
        assert answer.status_code == 200
        assert answer.headers["x-ratelimit-limit-requests"] == "3"
        assert answer.headers["x-ratelimit-remaining-requests"] == str(remaining)
        assert answer.headers["ratelimit-policy"] == '"requests";q=3;w=60'
        assert answer.headers["ratelimit"].startswith(f'"requests";r={remaining};t=')
        assert answer.headers["x-ratelimit-reset-requests"].endswith("s")
    for path in ("/v1/infer", "/v1/key"):
        refused = slow.get(path) if path == "/v1/key" else slow.post(path)
        error = assert_problem(refused, 429, "rate_limit_exceeded", reason="requests")
        assert error["metadata"]["limit_source"] == "key"
        assert error["metadata"]["remedy_hint"]
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        assert refused.headers["x-ratelimit-remaining-requests"] == "0"


def test_refused_bodies_count_and_carry_the_headers(slow: httpx.Client) -> None:
    answer = slow.post("/v1/infer", content=b"{")
    assert_problem(answer, 422)
    assert answer.headers["x-ratelimit-remaining-requests"] == "2"
