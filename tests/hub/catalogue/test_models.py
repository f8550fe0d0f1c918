"""Registering models: a name that is safe, a price for every unit."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest

from tests.hub.problems import assert_problem
from tests.hub.stack import tiny_part

_NEW = {"task": "tensor", "prices": {"requests": 5}}


def test_a_model_is_shown_as_it_was_registered(stranger: httpx.Client) -> None:
    name = f"m-{uuid4().hex}"
    created = stranger.post("/v1/models", json=_NEW | {"name": name, "description": "two\nlines"})
    assert created.status_code == 201
    shown = stranger.get(f"/v1/models/{name}").json()
    assert shown == created.json()
    assert shown["id"] == name
    assert shown["object"] == "model"
    assert shown["prices"] == {"requests": 5}
    assert shown["visibility"] == "private"
    assert shown["description"] == "two\nlines"
    assert stranger.get("/v1/models").json()["data"][0] == shown


def test_a_name_is_given_once_a_tenant(stranger: httpx.Client, tenant: httpx.Client) -> None:
    body = _NEW | {"name": f"m-{uuid4().hex}"}
    assert stranger.post("/v1/models", json=body).status_code == 201
    assert_problem(stranger.post("/v1/models", json=body), 409, "conflict", reason="exists", param="name")
    assert tenant.post("/v1/models", json=body).status_code == 201


def test_a_public_model_has_its_full_name_for_others(tenant: httpx.Client, stranger: httpx.Client) -> None:
    assert tenant.get("/v1/models/minilm").json()["id"] == "minilm"
    assert stranger.get("/v1/models/demo/minilm").json()["id"] == "demo/minilm"
    assert "demo/minilm" in [model["id"] for model in stranger.get("/v1/models").json()["data"]]
    assert_problem(stranger.get("/v1/models/minilm"), 404, "not_found")
    answer = stranger.post("/v1/embeddings", json={"model": "demo/minilm", "input": "x"})
    assert answer.status_code == 200
    assert answer.json()["model"] == "demo/minilm"


def test_a_model_without_a_published_version_asks_for_patience(stranger: httpx.Client) -> None:
    name = f"m-{uuid4().hex}"
    stranger.post("/v1/models", json=_NEW | {"name": name})
    answer = stranger.post("/v1/infer", json={"model": name, "input": [tiny_part(1, 2, 3, 4)]})
    assert_problem(answer, 503, "unavailable", reason="not_published", param="model")
    assert answer.headers["retry-after"]
    answer = stranger.post("/v1/infer", json={"model": f"{name}:1", "input": [tiny_part(1, 2, 3, 4)]})
    assert_problem(answer, 404, "not_found", reason="version")


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        ({}, "no_price"),
        ({"input_tokens": 5}, "no_price"),
        ({"requests": 5, "input_tokens": 5}, "no_price"),
        ({"requests": -1}, None),
        ({"requests": 1.5}, None),
        ({"requests": "5"}, None),
        ({"requests": True}, None),
        ({"requests": None}, None),
        ({"requests": 10**18}, None),
        ({"requests": 10**60}, None),
        ({"requests": 5, "x" * 33: 5}, None),
        ([5], None),
        (5, None),
    ],
)
def test_a_price_that_is_missing_too_many_or_no_amount_is_refused(
    stranger: httpx.Client, prices: object, reason: str | None
) -> None:
    name = f"m-{uuid4().hex}"
    answer = stranger.post("/v1/models", json=_NEW | {"name": name, "prices": prices})
    error = assert_problem(answer, 422, "invalid_request", reason=reason)
    assert error["param"].startswith("prices")
    assert_problem(stranger.get(f"/v1/models/{name}"), 404)


@pytest.mark.parametrize(
    "name", ["", "A", "../x", "..", ".x", "x.", "a/b", "a:1", "a@b", "a b", "ä", "a\x00", "a\n", "a" * 64, 5, None]
)
def test_a_name_that_is_not_safe_is_refused(stranger: httpx.Client, name: object) -> None:
    assert_problem(stranger.post("/v1/models", json=_NEW | {"name": name}), 422, "invalid_request", param="name")


@pytest.mark.parametrize("name", ["a", "0", "a" * 63, "a.b-c_d"])
def test_a_name_that_is_safe_is_taken(stranger: httpx.Client, name: str) -> None:
    answer = stranger.post("/v1/models", json=_NEW | {"name": name})
    assert answer.status_code in (201, 409)
    assert stranger.get(f"/v1/models/{name}").json()["id"] == name


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"task": "fortune-telling"}, "task"),
        ({"task": 1}, "task"),
        ({"visibility": "secret"}, "visibility"),
        ({"description": "x" * 2001}, "description"),
        ({"description": "nul\x00"}, "description"),
        ({"owner": "demo"}, "owner"),
    ],
)
def test_other_fields_are_checked_too(stranger: httpx.Client, change: dict, param: str) -> None:
    answer = stranger.post("/v1/models", json=_NEW | {"name": "checked"} | change)
    assert_problem(answer, 422, "invalid_request", param=param)


@pytest.mark.parametrize("path", ["..%2f..", "%00", "A", "a:b", "x" * 300, "%F0%9F%90%9A"])
def test_a_model_of_an_impossible_name_is_not_there(stranger: httpx.Client, path: str) -> None:
    assert_problem(stranger.get(f"/v1/models/{path}"), 404, "not_found")
