"""The Python client against a running hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from hub.client import ApiError, Conch, JobEnd, JobProgress
from tests.hub.stack import Stack, tiny_part


@pytest.fixture
def client(stack: Stack) -> Iterator[Conch]:
    with Conch(stack.url, stack.demo_key) as client:
        yield client


def test_a_call_is_answered(client: Conch) -> None:
    assert client.own_key()["tenant"] == "demo"
    answer = client.infer("tiny", [tiny_part(1, 2, 3, 4)])
    assert answer["output"][0]["data"] == [3, 5, 7, 9]
    assert client.version("tiny", 1)["state"] == "published"
    assert {"tiny", "minilm"} <= {model["id"] for model in client.models()}


def test_a_refusal_carries_what_the_hub_said(client: Conch) -> None:
    with pytest.raises(ApiError) as refused:
        client.infer("nowhere", [tiny_part(1, 2, 3, 4)])
    error = refused.value
    assert (error.status, error.code) == (404, "not_found")
    assert "nowhere" in error.message
    assert error.remedy is not None
    assert error.remedy in str(error)
    assert error.request_id


def test_an_answer_that_is_not_the_hubs_is_an_error_too() -> None:
    for response in (httpx.Response(502, text="<html>bad gateway"), httpx.Response(500, json=["odd"])):
        error = ApiError.from_response(response)
        assert error.code == "unknown"
        assert str(response.status_code) in error.message


def test_a_job_is_watched_to_its_end(client: Conch) -> None:
    job = next(job for job in client.jobs() if job["outcome"] == "published")
    *steps, end = client.watch_job(job["id"])
    assert end == JobEnd("published", None, None)
    assert all(isinstance(step, JobProgress) for step in steps)
    with pytest.raises(ApiError) as refused:
        list(client.watch_job(str(uuid4())))
    assert refused.value.status == 404


def test_only_the_files_of_a_model_are_uploaded(client: Conch, tmp_path: Path) -> None:
    for name in ("config.json", "1_Pooling/config.json", ".hidden.json", "picture.png", "weights.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert sorted(client.upload_directory(tmp_path)) == ["1_Pooling/config.json", "config.json"]


def test_the_operator_makes_a_tenant_and_its_first_key(stack: Stack) -> None:
    name = f"client-{uuid4().hex[:8]}"
    with Conch(stack.url, stack.admin_key) as operator:
        assert operator.create_tenant(name)["name"] == name
        secret = operator.create_key("first", ["infer"], tenant=name)
        with pytest.raises(ApiError) as refused:
            operator.create_tenant(name)
    assert refused.value.status == 409
    with Conch(stack.url, secret) as client:
        assert client.own_key()["tenant"] == name
