"""Making, listing and revoking keys; a secret is shown once and kept nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.hub.problems import assert_problem
from tests.hub.stack import Stack


@pytest.fixture
def lodger(stack: Stack, admin: httpx.Client) -> Iterator[httpx.Client]:
    """A tenant of the test's own."""
    with stack.client(stack.new_tenant(admin, f"lodger-{uuid4().hex[:8]}")) as client:
        yield client


def test_a_secret_is_nowhere_in_the_database(stack: Stack, tenant: httpx.Client) -> None:
    secret = tenant.post("/v1/keys", json={"name": "hidden"}).json()["secret"]
    with psycopg.connect(stack.database_url) as connection:
        tables = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'public'"
        ).fetchall()
        assert len(tables) > 10
        for (table,) in tables:
            found = connection.execute(
                f"select count(*) from {table} as row where position(%s in row::text) > 0", (secret[-20:],)
            )
            assert found.fetchone() == (0,), table


def test_a_list_shows_keys_without_their_secrets(lodger: httpx.Client) -> None:
    created = lodger.post("/v1/keys", json={"name": "listed", "scopes": ["infer", "infer"]}).json()
    assert created["scopes"] == ["infer"]
    answer = lodger.get("/v1/keys")
    assert created["secret"] not in answer.text
    newest = answer.json()["data"][0]
    assert "secret" not in newest
    assert newest == {key: value for key, value in created.items() if key != "secret"}
    assert created["secret"].startswith(newest["display"].removesuffix("…"))


def test_a_list_is_newest_first_in_pages(lodger: httpx.Client) -> None:
    ids = [lodger.post("/v1/keys", json={"name": f"key {number}"}).json()["id"] for number in range(5)]
    seen, after, more = [], None, True
    while more:
        page = lodger.get("/v1/keys", params={"limit": 2} | ({"after": after} if after else {})).json()
        assert len(page["data"]) <= 2
        seen += [key["id"] for key in page["data"]]
        after, more = seen[-1], page["has_more"]
    assert seen[:5] == ids[::-1]
    assert len(seen) == 6  # and the key the tenant came with


def test_a_revoked_key_stays_in_the_list_with_its_time(lodger: httpx.Client) -> None:
    created = lodger.post("/v1/keys", json={"name": "gone"}).json()
    revoked = lodger.delete(f"/v1/keys/{created['id']}").json()
    assert lodger.get("/v1/keys").json()["data"][0]["revoked_at"] == revoked["revoked_at"]


def test_another_tenants_keys_are_not_there(tenant: httpx.Client, stranger: httpx.Client) -> None:
    own = tenant.get("/v1/key").json()["id"]
    assert_problem(stranger.delete(f"/v1/keys/{own}"), 404, "not_found")
    assert_problem(stranger.get("/v1/keys", params={"tenant": "demo"}), 404, "not_found")
    assert_problem(stranger.delete(f"/v1/keys/{own}", params={"tenant": "demo"}), 404, "not_found")
    assert_problem(stranger.post("/v1/keys", json={"name": "spy", "tenant": "demo"}), 404, "not_found")
    assert own not in stranger.get("/v1/keys").text
    assert tenant.get("/v1/key").status_code == 200


def test_a_platform_key_manages_the_keys_of_a_tenant_it_names(admin: httpx.Client) -> None:
    assert_problem(admin.get("/v1/keys"), 422, "invalid_request", param="tenant")
    assert_problem(admin.get("/v1/keys", params={"tenant": "nobody"}), 404, "not_found", param="tenant")
    created = admin.post("/v1/keys", json={"name": "made by the operator", "tenant": "demo"}).json()
    listed = admin.get("/v1/keys", params={"tenant": "demo"}).json()["data"]
    assert listed[0]["id"] == created["id"]
    assert admin.delete(f"/v1/keys/{created['id']}", params={"tenant": "demo"}).status_code == 200


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"name": ""}, "name"),
        ({"name": "n" * 64}, "name"),
        ({"name": "nul\x00"}, "name"),
        ({"name": 7}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"scopes": "infer"}, "scopes"),
        ({"requests_per_minute": 0}, "requests_per_minute"),
        ({"requests_per_minute": 10**30}, "requests_per_minute"),
        ({"requests_per_minute": True}, "requests_per_minute"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2201-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, "expires_at"),
        ({"expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"kind": "admin"}, "kind"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(tenant: httpx.Client, change: dict, param: str) -> None:
    assert_problem(tenant.post("/v1/keys", json={"name": "odd"} | change), 422, "invalid_request", param=param)
