"""Watching jobs over HTTP: their steps in order, their end last."""

from __future__ import annotations

import json
from uuid import uuid4

import httpx
import pytest

from tests.hub.problems import assert_problem


@pytest.fixture(scope="module")
def job(tenant: httpx.Client) -> dict:
    """The job that converted `tiny`."""
    jobs = tenant.get("/v1/jobs", params={"limit": 100}).json()["data"]
    return next(job for job in jobs if job["model"] == "tiny")


def test_a_job_is_shown_as_it_ended(tenant: httpx.Client, job: dict) -> None:
    shown = tenant.get(f"/v1/jobs/{job['id']}").json()
    assert (shown["state"], shown["outcome"], shown["attempts"]) == ("succeeded", "published", 1)
    assert shown["created_at"] <= shown["started_at"] <= shown["finished_at"]
    assert shown["progress"]["step"] == "publish"
    assert job == shown | {"progress": None}


def test_events_are_every_step_in_order_and_then_the_end(tenant: httpx.Client, job: dict) -> None:
    with tenant.stream("GET", f"/v1/jobs/{job['id']}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        frames = [dict(line.split(": ", 1) for line in frame.splitlines()) for frame in _frames(answer)]
    *steps, end = frames
    assert {frame["event"] for frame in steps} == {"progress"}
    assert [int(frame["id"]) for frame in steps] == list(range(1, len(steps) + 1))
    told = [json.loads(frame["data"]) for frame in steps]
    assert all(step["message"] for step in told)
    assert told[-1]["step"] == "publish"
    elapsed = [step["elapsed"] for step in told]
    assert elapsed == sorted(elapsed)
    assert end["event"] == "end"
    assert json.loads(end["data"]) == tenant.get(f"/v1/jobs/{job['id']}").json() | {"progress": None}


def test_jobs_are_listed_newest_first_in_pages(tenant: httpx.Client) -> None:
    whole = [job["id"] for job in tenant.get("/v1/jobs", params={"limit": 100}).json()["data"]]
    assert whole == sorted(whole, reverse=True)
    first = tenant.get("/v1/jobs", params={"limit": 1}).json()
    assert [job["id"] for job in first["data"]] == whole[:1]
    assert first["has_more"]
    after = tenant.get("/v1/jobs", params={"limit": 100, "after": whole[0]}).json()
    assert [job["id"] for job in after["data"]] == whole[1:]
    assert not after["has_more"]


def test_a_job_that_is_not_there_or_not_ones_own_is_not_found(
    tenant: httpx.Client, stranger: httpx.Client, job: dict
) -> None:
    for client, job_id in ((tenant, uuid4()), (stranger, job["id"])):
        for path in (f"/v1/jobs/{job_id}", f"/v1/jobs/{job_id}/events"):
            assert_problem(client.get(path), 404, "not_found", param="job_id")
    assert job["id"] not in stranger.get("/v1/jobs").text


@pytest.mark.parametrize("path", ["/v1/jobs/1", "/v1/jobs/nonsense/events"])
def test_an_id_that_is_no_id_is_refused(tenant: httpx.Client, path: str) -> None:
    assert_problem(tenant.get(path), 422, "invalid_request", param="job_id")


def _frames(answer: httpx.Response) -> list[str]:
    return [frame for frame in answer.read().decode().split("\n\n") if frame]
