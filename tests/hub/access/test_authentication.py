"""Which keys the hub lets in, and for how long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from hub.access import keys
from hub.access.keys import KeyKind
from tests.hub.problems import assert_problem
from tests.hub.stack import Stack, tiny_part

_PATIENCE_SECONDS = 10  # a bound for a machine that is busy, not a measurement


@pytest.fixture
def nobody(stack: Stack) -> Iterator[httpx.Client]:
    """A client without a key."""
    with httpx.Client(base_url=stack.url, trust_env=False) as client:
        yield client


def test_both_headers_carry_a_key(stack: Stack, nobody: httpx.Client) -> None:
    for headers in (
        {"authorization": f"Bearer {stack.demo_key}"},
        {"authorization": f"bearer  {stack.demo_key}"},
        {"x-api-key": stack.demo_key},
    ):
        answer = nobody.get("/v1/key", headers=headers)
        assert answer.status_code == 200, headers
        assert answer.json()["tenant"] == "demo"


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "missing"),
        ({"authorization": "Basic dXNlcjpwYXNz"}, "scheme"),
        ({"authorization": "Bearer"}, "malformed"),
        ({"authorization": "Bearer sk-somebody-elses"}, "malformed"),
        ({"x-api-key": "conch_live_é".encode("latin-1")}, "malformed"),
        ({"x-api-key": keys.generate(KeyKind.LIVE)}, "unknown"),
        ({"x-api-key": keys.generate(KeyKind.ADMIN)}, "unknown"),
    ],
)
@pytest.mark.parametrize("route", ["GET /v1/key", "POST /v1/infer"])
def test_who_is_not_let_in_learns_why(nobody: httpx.Client, headers: dict[str, str], reason: str, route: str) -> None:
    method, path = route.split()
    answer = nobody.request(method, path, headers=headers)
    assert_problem(answer, 401, "invalid_api_key", reason=reason)


def test_a_revoked_key_stops_working(stack: Stack, tenant: httpx.Client) -> None:
    created = tenant.post("/v1/keys", json={"name": "short-lived", "scopes": ["infer"]}).json()
    body = {"model": "tiny", "input": [tiny_part(1, 2, 3, 4)]}
    with stack.client(created["secret"]) as client:
        assert client.post("/v1/infer", json=body).status_code == 200
        revoked = tenant.delete(f"/v1/keys/{created['id']}")
        assert revoked.status_code == 200
        answer = _until_refused(client, body)
        assert_problem(answer, 401, "invalid_api_key", reason="unknown")
    again = tenant.delete(f"/v1/keys/{created['id']}")
    assert again.json() == revoked.json()  # the time of the first revocation stays


def test_a_key_that_expires_stops_working(stack: Stack, tenant: httpx.Client) -> None:
    expires_at = (datetime.now(UTC) + timedelta(seconds=1.5)).isoformat()
    created = tenant.post("/v1/keys", json={"name": "expiring", "expires_at": expires_at})
    assert created.status_code == 201
    with stack.client(created.json()["secret"]) as client:
        answer = _until_refused(client, {"model": "tiny", "input": [tiny_part(1, 2, 3, 4)]})
        assert_problem(answer, 401, "invalid_api_key", reason="unknown")


def _until_refused(client: httpx.Client, body: dict) -> httpx.Response:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = client.post("/v1/infer", json=body)
        if answer.status_code != 200:
            return answer
        time.sleep(0.05)
    pytest.fail("the key still works")
