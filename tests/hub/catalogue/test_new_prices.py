"""A price changes for what comes, never for what was."""

from __future__ import annotations

import time
from pathlib import Path

import httpx

from tests.hub.stack import Stack, publish, tiny_part


def test_a_new_price_holds_within_a_second_and_old_calls_keep_theirs(
    stack: Stack, tenant: httpx.Client, tiny_directory: Path
) -> None:
    publish(stack, "repriced", "tensor", {"requests": 7}, tiny_directory)
    before = _call(tenant)
    assert before["usage"]["cost"] == "0.000000007"
    changed = tenant.put("/v1/models/repriced/prices", json={"prices": {"requests": 11}})
    assert changed.json()["prices"] == {"requests": 11}
    deadline = time.monotonic() + 10
    while (after := _call(tenant))["usage"]["cost"] != "0.000000011":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    old, new = (tenant.get(f"/v1/requests/{answer['id']}").json() for answer in (before, after))
    assert (old["nano_cost"], new["nano_cost"]) == (7, 11)
    assert old["units"][0]["price_id"] != new["units"][0]["price_id"]


def test_a_price_cannot_be_left_out(tenant: httpx.Client) -> None:
    answer = tenant.put("/v1/models/tiny/prices", json={"prices": {}})
    assert answer.status_code == 422
    assert answer.json()["error"]["metadata"]["reason"] == "no_price"


def _call(tenant: httpx.Client) -> dict:
    answer = tenant.post("/v1/infer", json={"model": "repriced", "input": [tiny_part(1, 2, 3, 4)]})
    assert answer.status_code == 200, answer.text
    return answer.json()
