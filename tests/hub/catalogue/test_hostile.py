"""Hostile versions: refused with a documented status, and nothing half-made is left anywhere."""

from __future__ import annotations

import json
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.hub.problems import assert_problem
from tests.hub.stack import Stack

_LIARS = {
    "longer than the file": struct.pack("<Q", 10**12) + b"{}",
    "offsets beyond the end": None,
    "overlapping tensors": None,
    "not JSON": struct.pack("<Q", 4) + b"oops" + bytes(16),
    "shorter than its own length": b"\x01",
}


def _safetensors(header: dict, content: bytes) -> bytes:
    encoded = json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + content


def _tensor(start: int, end: int) -> dict:
    return {"dtype": "F32", "shape": [4], "data_offsets": [start, end]}


_LIARS["offsets beyond the end"] = _safetensors({"w": _tensor(0, 10**9)}, bytes(16))
_LIARS["overlapping tensors"] = _safetensors({"a": _tensor(0, 16), "b": _tensor(8, 24)}, bytes(24))


@pytest.fixture(scope="module")
async def traces(stack: Stack) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(stack.database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(autouse=True)
async def nothing_is_left(stack: Stack, traces: psycopg.AsyncConnection) -> AsyncIterator[None]:
    """Whatever a test hands in: database, store, work and repository are afterwards as they were."""
    before = await _state(stack.data, traces)
    yield
    assert await _state(stack.data, traces) == before


@pytest.fixture(scope="module")
def target(stranger: httpx.Client) -> str:
    """The path of a model of the task tensor that takes versions."""
    name = f"m-{uuid4().hex}"
    assert stranger.post("/v1/models", json={"name": name, "task": "tensor", "prices": {"requests": 1}}).is_success
    return f"/v1/models/{name}/versions"


@pytest.fixture(scope="module")
def texts(stranger: httpx.Client) -> str:
    """The path of a model of the task embedding that takes versions."""
    name = f"m-{uuid4().hex}"
    body = {"name": name, "task": "embedding", "prices": {"input_tokens": 1}}
    assert stranger.post("/v1/models", json=body).is_success
    return f"/v1/models/{name}/versions"


def _upload(client: httpx.Client, content: bytes) -> str:
    sha256: str = client.post("/v1/artefacts", content=content).json()["sha256"]
    return sha256


@pytest.mark.parametrize(
    "content", [b"not an onnx at all", b"\x08\x0a\x12\x00", bytes(1000), b"PK\x03\x04" + bytes(100)], ids=str
)
def test_an_onnx_that_is_not_one_is_refused(stranger: httpx.Client, target: str, content: bytes) -> None:
    answer = stranger.post(target, json={"files": {"model.onnx": _upload(stranger, content)}})
    error = assert_problem(answer, 422, "invalid_request", reason="source_invalid", param="files")
    assert error["metadata"]["remedy_hint"]


@pytest.mark.parametrize("lie", _LIARS)
def test_a_safetensors_that_lies_about_its_header_is_refused(stranger: httpx.Client, texts: str, lie: str) -> None:
    files = {
        "config.json": _upload(stranger, json.dumps({"model_type": "bert", "architectures": ["BertModel"]}).encode()),
        "tokenizer.json": _upload(stranger, b"{}"),
        "model.safetensors": _upload(stranger, _LIARS[lie]),
    }
    assert_problem(stranger.post(texts, json={"files": files}), 422, reason="source_invalid", param="files")


def test_files_that_are_no_model_are_refused(stranger: httpx.Client, target: str, texts: str) -> None:
    files = {"readme.txt": _upload(stranger, b"hello")}
    for path in (target, texts):
        assert_problem(stranger.post(path, json={"files": files}), 422, reason="source_invalid")


@pytest.mark.parametrize(
    "path",
    [
        *("../model.onnx", "a/../../model.onnx", "/etc/passwd", "a/b/c/d/e"),
        *("a//b", "a/", ".hidden", "a/.b", "a\\b", "", "x" * 256),
        *("nul\x00", "a\nb", "ä.onnx", "con\u202etxt"),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(stranger: httpx.Client, target: str, path: str) -> None:
    answer = stranger.post(target, json={"files": {path: _upload(stranger, b"content")}})
    error = assert_problem(answer, 422, "invalid_request")
    assert error["param"].startswith("files")


def test_a_file_that_is_also_a_folder_is_refused(stranger: httpx.Client, target: str) -> None:
    sha256 = _upload(stranger, b"content")
    answer = stranger.post(target, json={"files": {"a": sha256, "a/b": sha256}})
    assert_problem(answer, 422, "invalid_request", param="files")


def test_a_file_that_was_not_uploaded_is_missing(stranger: httpx.Client, target: str) -> None:
    answer = stranger.post(target, json={"files": {"model.onnx": "0" * 64}})
    assert_problem(answer, 422, reason="artefact_missing", param="files")


def test_knowing_the_hash_of_anothers_file_is_not_having_it(
    stranger: httpx.Client, tenant: httpx.Client, target: str
) -> None:
    files = tenant.get("/v1/models/tiny/versions/1").json()["files"]
    answer = stranger.post(target, json={"files": files})
    assert_problem(answer, 422, reason="artefact_missing", param="files")


def test_a_model_that_is_not_ones_own_takes_no_versions(stranger: httpx.Client) -> None:
    files = {"model.onnx": _upload(stranger, b"content")}
    for name in ("tiny", "nowhere", "demo%2Ftiny"):
        assert_problem(stranger.post(f"/v1/models/{name}/versions", json={"files": files}), 404, "not_found")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"files": {}},
        {"files": []},
        {"files": {"model.onnx": "short"}},
        {"files": {"model.onnx": "G" * 64}},
        {"files": {"model.onnx": 7}},
        {"files": {f"f{number}": "0" * 64 for number in range(65)}},
        {"files": {"model.onnx": "0" * 64}, "precision": "int4"},
        {"files": {"model.onnx": "0" * 64}, "number": 7},
        {"files": {"model.onnx": "0" * 64}, "budget": {"cosine": "0.5"}},
        {"files": {"model.onnx": "0" * 64}, "budget": {"cosine": True}},
        {"files": {"model.onnx": "0" * 64}, "time_limit_seconds": True},
        {"files": {"model.onnx": "0" * 64}, "time_limit_seconds": "60"},
        {"source_uri": "models:/m"},
        {"source_uri": "models:/../../etc/passwd"},
        {"source_uri": "models:/name/latest"},
        {"source_uri": "models:/na\u202eme/1"},
        {"source_uri": "runs:/0123/../secret"},
        [],
        "files",
        None,
    ],
)
def test_a_version_of_wrong_types_is_refused(stranger: httpx.Client, target: str, body: object) -> None:
    assert_problem(stranger.post(target, json=body), 422, "invalid_request")


async def _state(data: Path, connection: psycopg.AsyncConnection) -> dict[str, object]:
    state: dict[str, object] = {}
    for table in ("versions", "version_files", "jobs", "job_events", "routes", "usage_records"):
        row = await (await connection.execute(f"select count(*) from {table}")).fetchone()
        state[table] = row
    for folder in ("artefacts/incoming", "work", "repository"):
        state[folder] = sorted(path.name for path in (data / folder).iterdir())
    return state
