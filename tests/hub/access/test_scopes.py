"""What a key may do: its scopes, its kind, and never more than its maker."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.hub.problems import assert_problem
from tests.hub.stack import Stack, tiny_part

_BODIES = {
    "POST /v1/infer": {"model": "tiny", "input": [tiny_part(1, 2, 3, 4)]},
    "POST /v1/embeddings": {"model": "minilm", "input": "x"},
    "POST /v1/models": {"name": "scopeless", "task": "tensor", "prices": {"requests": 1}},
    "POST /v1/artefacts": {"any": "content"},
    "POST /v1/models/tiny/versions": {"files": {"model.onnx": "0" * 64}},
    "GET /v1/models/tiny/versions": None,
    "GET /v1/models/tiny/routes/default": None,
    "PUT /v1/models/tiny/routes/default": {"targets": [{"version": 1}]},
    "GET /v1/jobs": None,
    "POST /v1/keys": {"name": "child"},
    "GET /v1/keys": None,
    "DELETE /v1/keys/01a209f7-1753-7668-bb1e-79c929a833ff": None,
}
_NEEDS = {
    "infer": {"POST /v1/infer", "POST /v1/embeddings"},
    "keys": {"POST /v1/keys", "GET /v1/keys", "DELETE /v1/keys/01a209f7-1753-7668-bb1e-79c929a833ff"},
}
_NEEDS["models"] = set(_BODIES) - _NEEDS["infer"] - _NEEDS["keys"]


@pytest.fixture(scope="module")
def clients(stack: Stack, tenant: httpx.Client) -> Iterator[dict[str, httpx.Client]]:
    """A client for each scope, with a key that has this scope alone."""
    clients = {}
    for scope in _NEEDS:
        created = tenant.post("/v1/keys", json={"name": f"only-{scope}", "scopes": [scope]})
        clients[scope] = stack.client(created.json()["secret"])
    yield clients
    for client in clients.values():
        client.close()


@pytest.mark.parametrize("route", _BODIES)
def test_a_key_without_the_scope_is_refused(clients: dict[str, httpx.Client], route: str) -> None:
    method, path = route.split()
    for scope, client in clients.items():
        if route not in _NEEDS[scope]:
            answer = client.request(method, path, json=_BODIES[route])
            assert_problem(answer, 403, "not_allowed", reason="scope")


@pytest.mark.parametrize("route", [route for route in _BODIES if route not in _NEEDS["keys"]])
def test_a_platform_key_does_not_act_as_a_tenant(admin: httpx.Client, route: str) -> None:
    method, path = route.split()
    assert_problem(admin.request(method, path, json=_BODIES[route]), 403, "not_allowed", reason="kind")


@pytest.mark.parametrize("route", ["GET /v1/tenants", "POST /v1/tenants", "GET /metrics"])
def test_operations_need_a_platform_key(tenant: httpx.Client, route: str) -> None:
    method, path = route.split()
    body = {"name": "own"} if method == "POST" else None
    assert_problem(tenant.request(method, path, json=body), 403, "not_allowed")


def test_a_key_cannot_give_away_what_it_lacks(clients: dict[str, httpx.Client]) -> None:
    answer = clients["keys"].post("/v1/keys", json={"name": "stronger", "scopes": ["keys", "infer"]})
    assert_problem(answer, 403, "not_allowed", param="scopes")
    assert clients["keys"].post("/v1/keys", json={"name": "equal", "scopes": ["keys"]}).status_code == 201


def test_a_key_cannot_make_one_that_is_faster_or_outlives_it(stack: Stack, tenant: httpx.Client) -> None:
    limits = {"requests_per_minute": 100, "expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    parent = tenant.post("/v1/keys", json={"name": "parent", "scopes": ["keys"]} | limits).json()
    later = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    with stack.client(parent["secret"]) as client:
        for more in ({"requests_per_minute": 101}, {"expires_at": later}):
            answer = client.post("/v1/keys", json={"name": "child", "scopes": ["keys"]} | more)
            assert_problem(answer, 403, "not_allowed", param=next(iter(more)))
        child = client.post("/v1/keys", json={"name": "child", "scopes": ["keys"]}).json()
    assert (child["requests_per_minute"], child["expires_at"]) == (100, parent["expires_at"])


def test_every_key_may_ask_about_itself(clients: dict[str, httpx.Client]) -> None:
    for scope, client in clients.items():
        assert client.get("/v1/key").json()["scopes"] == [scope]
