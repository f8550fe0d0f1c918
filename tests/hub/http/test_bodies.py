"""Bodies nobody should send: each is answered with a documented status and the one error body."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.hub.problems import assert_problem
from tests.hub.stack import tiny_part

_LIMIT = 32 * 1024**2
_JSON = {"content-type": "application/json"}
_ROUTES = ["/v1/infer", "/v1/embeddings", "/v1/models", "/v1/keys", "/v1/models/tiny/versions"]


@pytest.mark.parametrize("path", _ROUTES)
@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b'{"model": "tiny", "inp', b"nonsense", b"\xff\xfe", b"\x00", b"\xef\xbb\xbf{}", b"NaN"),
        *(b"[]", b"null", b"7", b'"text"', b"{}"),
        *(b'{"model": 1e999, "name": 1e999}', b"{'model': 'tiny'}", b'{"model": "tiny",}'),
    ],
)
def test_what_is_not_the_body_of_the_route_is_refused(tenant: httpx.Client, path: str, content: bytes) -> None:
    assert_problem(tenant.post(path, content=content, headers=_JSON), 422, "invalid_request")


@pytest.mark.parametrize("path", _ROUTES)
@pytest.mark.parametrize(
    "content",
    [b'{"name":' + b"[" * 100_000, b'{"parameters":{"a":' + b"[" * 100_000, b'{"name":' + b"9" * 5000 + b"}"],
    ids=["nested", "nested parameters", "long number"],
)
def test_bodies_made_to_break_a_parser_do_not(tenant: httpx.Client, path: str, content: bytes) -> None:
    answer = tenant.post(path, content=content, headers=_JSON)
    assert answer.status_code in (400, 422)
    assert_problem(answer, answer.status_code, "invalid_request")


@pytest.mark.parametrize("path", _ROUTES)
def test_a_body_over_the_limit_is_too_large(tenant: httpx.Client, path: str) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(_LIMIT // 2**20 + 1):
            yield b" " * 2**20

    for content in (b" " * (_LIMIT + 1), chunks()):
        assert_problem(tenant.post(path, content=content, headers=_JSON), 413, "too_large")


def test_a_body_at_the_limit_is_read(tenant: httpx.Client) -> None:
    body = json.dumps({"model": "tiny", "input": [tiny_part(1, 2, 3, 4)]}).encode()
    answer = tenant.post("/v1/infer", content=body + b" " * (_LIMIT - len(body)), headers=_JSON)
    assert answer.status_code == 200


def _part(**changes: object) -> dict:
    return {"model": "tiny", "input": [tiny_part(1, 2, 3, 4) | changes]}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (_part(data=[1, 2, 3]), "input[0].data"),
        (_part(data=[1, 2, 3, "4"]), "input[0].data"),
        (_part(data=[1, 2, 3, True]), "input[0].data"),
        (_part(data=[1, 2, 3, None]), "input[0].data"),
        (_part(data=[[1, 2, 3, 4]]), "input[0].data"),
        (_part(data=[1, 2, 3, 1e300]), "input[0].data"),
        (_part(data=[1, 2, 3, 10**60]), "input[0].data"),
        (_part(data="1234"), "input[0].data"),
        (_part(datatype="INT32"), "input[0].datatype"),
        (_part(datatype="FP33"), "input[0].datatype"),
        (_part(shape=[4]), "input[0].shape"),
        (_part(shape=[1, -4]), "input[0].shape[1]"),
        (_part(shape=[0, 4], data=[]), "input[0].shape"),
        (_part(shape=[10**30, 4]), "input[0].shape[0]"),
        (_part(shape=[2**31 - 1, 4]), "input[0].shape"),
        (_part(name="z"), "input"),
        (_part(name="nul\x00"), "input"),
        (_part(type="video"), "input[0].type"),
        (_part() | {"input": []}, "input"),
        (_part() | {"input": [{"type": "text", "text": "x"}]}, "input[0]"),
        (_part() | {"input": [tiny_part(1, 2, 3, 4)] * 2}, "input[1]"),
        (_part() | {"parameters": {"temperature": 1}}, "parameters.temperature"),
        (_part() | {"parameters": None}, "parameters"),
        (_part() | {"stream": True}, "stream"),
        (_part() | {"model": ""}, "model"),
        (_part() | {"model": 7}, "model"),
        (_part() | {"surprise": 7}, "surprise"),
    ],
)
def test_a_call_that_makes_no_sense_names_the_field(tenant: httpx.Client, body: dict, param: str) -> None:
    error = assert_problem(tenant.post("/v1/infer", json=body), 422, "invalid_request")
    assert error["param"] == param


@pytest.mark.parametrize("model", ["../tiny", "TINY", "tiny:0", "tiny:x", "tiny@", "nul\x00", "a/b/c", "🐚", "x" * 200])
def test_a_name_that_names_no_model_is_not_found(tenant: httpx.Client, model: str) -> None:
    answer = tenant.post("/v1/infer", json=_part() | {"model": model})
    assert_problem(answer, 404, "not_found", param="model")


@pytest.mark.parametrize("text", [b'"a\\ud800b"', b'"\\udc00"', b'["\\ud83d\\u0041"]', b'"\xed\xa0\x80"'])
def test_a_lone_surrogate_is_no_text(tenant: httpx.Client, text: bytes) -> None:
    body = b'{"model": "minilm", "input": ' + text + b"}"
    assert_problem(tenant.post("/v1/embeddings", content=body, headers=_JSON), 422, "invalid_request")


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "a", "task": "tensor", "prices": {"\\ud800": 1}}',
        b'{"name": "a", "task": "tensor", "prices": {"requests": 1}, "\\ud800": 1}',
        b'{"name": "a", "task": "\\ud800", "prices": {"requests": 1}}',
        b'{"name": "\\ud800", "task": "tensor", "prices": {"requests": 1}}',
        b'{"name": "a", "task": "tensor", "prices": {"requests": 1}, "description": "\\ud800"}',
    ],
)
def test_a_lone_surrogate_is_refused_in_the_catalogue_too(tenant: httpx.Client, body: bytes) -> None:
    assert_problem(tenant.post("/v1/models", content=body, headers=_JSON), 422, "invalid_request")


def test_a_nul_is_a_character_of_a_text_like_any_other(tenant: httpx.Client) -> None:
    answer = tenant.post("/v1/embeddings", json={"model": "minilm", "input": "a\x00b"})
    assert answer.status_code == 200


def test_the_hub_is_well_after_all_this(tenant: httpx.Client) -> None:
    assert tenant.get("/readyz").json()["status"] == "ready"
    answer = tenant.post("/v1/infer", json=_part())
    assert answer.json()["output"][0]["data"] == [3, 5, 7, 9]
