"""What a call cost and why, as its caller sees it."""

from __future__ import annotations

from uuid import uuid4

import httpx
import psycopg

from tests.hub.problems import assert_problem
from tests.hub.stack import Stack, tiny_part


def _call(client: httpx.Client, rows: int) -> httpx.Response:
    part = tiny_part(*range(4 * rows)) | {"shape": [rows, 4]}
    answer = client.post("/v1/infer", json={"model": "tiny", "input": [part]})
    assert answer.status_code == 200, answer.text
    return answer


def test_the_cost_is_units_times_price_everywhere_it_is_told(stack: Stack, tenant: httpx.Client) -> None:
    answer = _call(tenant, rows=3)
    body = answer.json()
    assert answer.headers["x-conch-cost"] == body["usage"]["cost"] == "0.000003000"
    assert float(answer.headers["x-conch-overhead-ms"]) > 0
    assert body["usage"]["requests"] == 3
    shown = tenant.get(f"/v1/requests/{body['id']}").json()
    assert (shown["model"], shown["version"]) == ("tiny", body["version"])
    assert (shown["cost"], shown["nano_cost"], shown["currency"]) == ("0.000003000", 3000, "USD")
    [line] = shown["units"]
    assert (line["unit"], line["count"], line["nano_price"]) == ("requests", 3, 1000)
    assert shown["key_id"] == tenant.get("/v1/key").json()["id"]
    with psycopg.connect(stack.database_url) as connection:
        entries = connection.execute(
            "select kind, nano_amount from ledger_entries join ledger_accounts account on account.id = account_id "
            "where transaction_id = %s order by kind",
            (body["id"],),
        ).fetchall()
    assert entries == [("receivable", 3000), ("revenue", -3000)]


def test_units_that_are_not_billed_are_shown_without_a_price(tenant: httpx.Client) -> None:
    answer = tenant.post("/v1/embeddings", json={"model": "minilm", "input": ["short", "word " * 1000]})
    usage = answer.json()["usage"]
    [shown] = tenant.get("/v1/requests", params={"limit": 1}).json()["data"]
    lines = {line["unit"]: line for line in shown["units"]}
    assert lines["input_tokens"]["count"] == usage["prompt_tokens"]
    assert lines["truncated_tokens"]["count"] == usage["truncated_tokens"] > 0
    assert lines["truncated_tokens"]["nano_price"] is None
    assert shown["nano_cost"] == usage["prompt_tokens"] * lines["input_tokens"]["nano_price"]
    assert shown["cost"] == answer.headers["x-conch-cost"]


def test_a_call_that_was_refused_costs_nothing(tenant: httpx.Client) -> None:
    before = tenant.get("/v1/requests", params={"limit": 1}).json()["data"]
    assert_problem(tenant.post("/v1/infer", json={"model": "tiny", "input": [tiny_part(1, 2)]}), 422)
    assert_problem(tenant.post("/v1/infer", json={"model": "nowhere", "input": [tiny_part(1, 2, 3, 4)]}), 404)
    assert tenant.get("/v1/requests", params={"limit": 1}).json()["data"] == before


def test_calls_are_listed_newest_first_in_pages(tenant: httpx.Client) -> None:
    ids = [_call(tenant, rows=1).json()["id"] for _ in range(3)]
    first = tenant.get("/v1/requests", params={"limit": 2}).json()
    assert [call["id"] for call in first["data"]] == [ids[2], ids[1]]
    assert first["has_more"]
    after = tenant.get("/v1/requests", params={"limit": 1, "after": ids[1]}).json()
    assert [call["id"] for call in after["data"]] == [ids[0]]


def test_anothers_calls_are_not_there(tenant: httpx.Client, stranger: httpx.Client, admin: httpx.Client) -> None:
    request_id = _call(tenant, rows=1).json()["id"]
    for client, wanted in ((stranger, request_id), (tenant, uuid4())):
        assert_problem(client.get(f"/v1/requests/{wanted}"), 404, "not_found", param="request_id")
    assert request_id not in stranger.get("/v1/requests").text
    assert_problem(admin.get("/v1/requests"), 403, "not_allowed")


async def test_every_answered_call_is_booked_once_and_in_balance(database: psycopg.AsyncConnection) -> None:
    odd = await database.execute(
        "select u.id from usage_records u "
        "left join ledger_transactions t on t.usage_id = u.id "
        "left join ledger_entries e on e.transaction_id = t.id "
        "group by u.id, u.nano_charge "
        "having count(distinct t.id) <> 1 or count(e) <> 2 or sum(e.nano_amount) <> 0 "
        "or max(e.nano_amount) <> u.nano_charge"
    )
    assert await odd.fetchall() == []


async def test_every_charge_is_its_units_times_its_prices(database: psycopg.AsyncConnection) -> None:
    odd = await database.execute(
        "select u.id from usage_records u join prices p on p.id = any(u.price_ids) join tenants on true "
        "where tenants.id = u.tenant_id and tenants.name = 'demo' "
        "group by u.id having u.nano_charge <> sum(p.nano_amount * (u.units ->> p.unit)::bigint)"
    )
    assert await odd.fetchall() == []
