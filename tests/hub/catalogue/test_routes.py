"""Versions and where a name points: promote, split, roll back, and a history of it all."""

from __future__ import annotations

import time

import httpx
import psycopg
import pytest

from tests.hub.catalogue.conftest import Owner
from tests.hub.problems import assert_problem
from tests.hub.stack import tiny_part

_PATIENCE_SECONDS = 10  # a bound for a machine that is busy, not a measurement


@pytest.fixture(autouse=True)
def first_version_in_force(owner: Owner) -> None:
    """Each test begins with all traffic on version 1."""
    assert owner.route((1, 100)).status_code == 200
    _until(owner, "factor", 1)


def test_a_later_version_waits_and_can_be_called_by_its_number(owner: Owner) -> None:
    versions = owner.http.get("/v1/models/factor/versions").json()["data"]
    assert [(version["number"], version["state"]) for version in versions[-2:]] == [(2, "published"), (1, "published")]
    assert owner.answered_by("factor") == 1
    assert owner.answered_by("factor@default") == 1
    assert owner.answered_by("factor:1") == 1
    assert owner.answered_by("factor:2") == 2


def test_the_first_version_took_all_traffic_by_itself(owner: Owner) -> None:
    history = _history(owner)
    assert history[-1]["revision"] == 1
    assert history[-1]["targets"] == [{"version": 1, "weight": 100}]
    assert history[-1]["changed_by"] == "conch"


def test_promotion_and_roll_back_move_all_traffic(owner: Owner) -> None:
    promoted = owner.route((2, 100), reason="three is more than two").json()
    _until(owner, "factor", 2)
    back = owner.route((1, 100), reason="it was not").json()
    _until(owner, "factor", 1)
    assert back["revision"] == promoted["revision"] + 1
    history = _history(owner)
    assert history[0] == back
    assert history[1] == promoted
    assert promoted["reason"] == "three is more than two"
    assert promoted["changed_by"] == owner.http.get("/v1/key").json()["id"]
    assert [route["revision"] for route in history] == list(range(back["revision"], 0, -1))


def test_a_split_gives_each_version_its_share(owner: Owner) -> None:
    assert owner.route((1, 50), (2, 50), alias="split").status_code == 200
    shares = [owner.answered_by("factor@split") for _ in range(60)]
    assert 10 <= shares.count(2) <= 50  # further off in one of ten million runs


def test_an_alias_of_ones_own_points_where_it_is_told(owner: Owner) -> None:
    call = {"model": "factor@nightly", "input": [tiny_part(1, 2, 3, 4)]}
    assert_problem(owner.http.post("/v1/infer", json=call | {"model": "factor@never"}), 404, reason="alias")
    assert owner.route((2, 1), alias="nightly").status_code == 200
    _until(owner, "factor@nightly", 2)
    assert owner.answered_by("factor") == 1


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"targets": []}, 422, "targets"),
        ({"targets": [{"version": 1, "weight": 0}]}, 422, "targets.0.weight"),
        ({"targets": [{"version": 1, "weight": 10_001}]}, 422, "targets.0.weight"),
        ({"targets": [{"version": 1, "weight": True}]}, 422, "targets.0.weight"),
        ({"targets": [{"version": 0}]}, 422, "targets.0.version"),
        ({"targets": [{"version": 10**30}]}, 422, "targets.0.version"),
        ({"targets": [{"version": 1}, {"version": 1}]}, 422, "targets"),
        ({"targets": [{"version": 99}]}, 404, "targets"),
        ({"targets": [{"version": 1}], "reason": "nul\x00"}, 422, "reason"),
        ({"targets": [{"version": 1}], "mirror": 2}, 422, "mirror"),
        ({}, 422, "targets"),
    ],
)
def test_a_route_that_makes_no_sense_changes_nothing(owner: Owner, body: dict, status: int, param: str) -> None:
    before = _history(owner)
    assert_problem(owner.http.put("/v1/models/factor/routes/default", json=body), status, param=param)
    assert _history(owner) == before


async def test_traffic_is_not_sent_to_a_version_that_is_not_published(
    owner: Owner, database: psycopg.AsyncConnection
) -> None:
    files = owner.http.get("/v1/models/factor/versions/1").json()["files"]
    new = owner.http.post("/v1/models/factor/versions", json={"files": files, "precision": "float32"}).json()
    assert owner.http.get(f"/v1/jobs/{new['job_id']}/events").text.count("event: end") == 1
    await database.execute("update versions set state = 'retired' where id = %s", (new["id"],))
    assert_problem(owner.route((new["number"], 100)), 409, "conflict", reason="state", param="targets")
    call = {"model": f"factor:{new['number']}", "input": [tiny_part(1, 2, 3, 4)]}
    assert_problem(owner.http.post("/v1/infer", json=call), 404, "not_found", reason="version")


def test_another_tenants_model_and_versions_are_not_there(owner: Owner, stranger: httpx.Client) -> None:
    name = owner.http.get("/v1/key").json()["tenant"]
    for path in (
        "/v1/models/factor",
        f"/v1/models/{name}/factor",
        "/v1/models/factor/versions",
        "/v1/models/factor/versions/1",
        "/v1/models/factor/routes/default",
        f"/v1/jobs/{owner.jobs[0]}",
        f"/v1/jobs/{owner.jobs[0]}/events",
    ):
        assert_problem(stranger.get(path), 404, "not_found")
    for model in ("factor", f"{name}/factor", f"{name}/factor:1", f"{name}/factor@default"):
        answer = stranger.post("/v1/infer", json={"model": model, "input": [tiny_part(1, 2, 3, 4)]})
        assert_problem(answer, 404, "not_found", param="model")
    body = {"targets": [{"version": 1}]}
    assert_problem(stranger.put("/v1/models/factor/routes/default", json=body), 404, "not_found")
    assert_problem(stranger.post("/v1/models/factor/versions", json={"files": {"model.onnx": "0" * 64}}), 404)
    assert "factor" not in stranger.get("/v1/models").text


def _history(owner: Owner) -> list[dict]:
    page = owner.http.get("/v1/models/factor/routes/default").json()
    assert not page["has_more"]
    routes: list[dict] = page["data"]
    return routes


def _until(owner: Owner, model: str, version: int) -> None:
    """Wait until this version answers; once it does, the one before it no longer will."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while owner.answered_by(model) != version:
        assert time.monotonic() < deadline
        time.sleep(0.05)
