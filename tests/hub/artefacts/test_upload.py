"""Uploads: by content, whole or not at all."""

from __future__ import annotations

import hashlib
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from tests.hub.problems import assert_problem
from tests.hub.stack import Stack

_PATIENCE_SECONDS = 10  # a bound for a machine that is busy, not a measurement


def test_a_file_is_known_by_the_hash_of_its_content(stack: Stack, tenant: httpx.Client, stranger: httpx.Client) -> None:
    content = uuid4().bytes * 100_000
    sha256 = hashlib.sha256(content).hexdigest()
    for client in (tenant, tenant, stranger):
        answer = client.post("/v1/artefacts", content=content)
        assert answer.status_code == 201
        assert answer.json() == {"sha256": sha256, "bytes": len(content)}
    assert _files(stack, sha256) == [stack.data / "artefacts" / sha256[:2] / sha256]
    assert _files(stack, sha256)[0].read_bytes() == content


def test_an_upload_may_come_in_chunks(tenant: httpx.Client) -> None:
    answer = tenant.post("/v1/artefacts", content=iter([b"one ", b"two"]))
    assert answer.json()["sha256"] == hashlib.sha256(b"one two").hexdigest()


@pytest.mark.parametrize("content", [b"", iter([b"", b""])], ids=["no body", "chunks of nothing"])
def test_an_empty_body_is_refused_and_not_kept(stack: Stack, tenant: httpx.Client, content: bytes) -> None:
    files = _all_files(stack)
    assert_problem(tenant.post("/v1/artefacts", content=content), 422, "invalid_request", reason="empty")
    assert _all_files(stack) == files


def test_an_upload_that_breaks_off_leaves_nothing(stack: Stack) -> None:
    files = _all_files(stack)
    with _begun(stack, stack.demo_key, "content-length: 1000000") as connection:
        connection.sendall(b"x" * 100_000)
        _until(lambda: len(_incoming(stack)) == 1)
    _until(lambda: _incoming(stack) == [])
    assert _all_files(stack) == files


def test_a_file_over_the_limit_is_refused_before_it_is_sent(stack: Stack) -> None:
    with _begun(stack, stack.demo_key, f"content-length: {20 * 1024**3 + 1}") as connection:
        connection.sendall(b"x" * 1000)
        said = b""
        while b"request_id" not in said and (more := connection.recv(65536)):
            said += more
    assert said.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"too_large"' in said
    assert _incoming(stack) == []


def test_an_upload_without_a_good_key_writes_nothing(stack: Stack) -> None:
    with _begun(stack, "conch_live_wrong", "content-length: 1000000") as connection:
        connection.sendall(b"x" * 1000)
        assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")
        assert _incoming(stack) == []


def _begun(stack: Stack, key: str, header: str) -> socket.socket:
    address = urlsplit(stack.url)
    connection = socket.create_connection((address.hostname, address.port), timeout=10)
    head = f"POST /v1/artefacts HTTP/1.1\r\nhost: conch\r\nauthorization: Bearer {key}\r\n{header}\r\n\r\n"
    connection.sendall(head.encode())
    return connection


def _files(stack: Stack, sha256: str) -> list[Path]:
    return [path for path in _all_files(stack) if path.name == sha256]


def _all_files(stack: Stack) -> list[Path]:
    return sorted(path for path in (stack.data / "artefacts").rglob("*") if path.is_file())


def _incoming(stack: Stack) -> list[str]:
    return [path.name for path in (stack.data / "artefacts" / "incoming").iterdir()]


def _until(condition) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
