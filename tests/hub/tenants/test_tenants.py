"""Tenants: made by the operator, each with the accounts a charge needs."""

from __future__ import annotations

from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.hub.problems import assert_problem
from tests.hub.stack import Stack


def test_a_new_tenant_has_its_ledger_accounts(stack: Stack, admin: httpx.Client) -> None:
    created = admin.post("/v1/tenants", json={"name": f"payer-{uuid4().hex[:8]}"}).json()
    with psycopg.connect(stack.database_url) as connection:
        rows = connection.execute("select kind from ledger_accounts where tenant_id = %s", (created["id"],))
        assert sorted(rows.fetchall()) == [("receivable",), ("revenue",)]


def test_a_name_is_given_once(admin: httpx.Client) -> None:
    assert_problem(admin.post("/v1/tenants", json={"name": "demo"}), 409, "conflict", reason="exists", param="name")


def test_tenants_are_listed_newest_first(admin: httpx.Client) -> None:
    names = [f"row-{number}-{uuid4().hex[:8]}" for number in range(2)]
    for name in names:
        admin.post("/v1/tenants", json={"name": name})
    page = admin.get("/v1/tenants", params={"limit": 2}).json()
    assert [row["name"] for row in page["data"]] == names[::-1]
    assert page["has_more"]


@pytest.mark.parametrize("name", ["", "Upper", "../x", "a/b", ".dot", "dot.", "-a", "ä", "a" * 64, "nul\x00", None, 1])
def test_a_name_that_is_not_safe_in_a_path_is_refused(admin: httpx.Client, name: object) -> None:
    assert_problem(admin.post("/v1/tenants", json={"name": name}), 422, "invalid_request", param="name")


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"limit": "all"}, {"after": "yesterday"}])
def test_a_page_that_cannot_be_is_refused(admin: httpx.Client, query: dict) -> None:
    assert_problem(admin.get("/v1/tenants", params=query), 422, "invalid_request", param=next(iter(query)))
