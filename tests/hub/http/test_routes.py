"""Every route: without a key, with a wrong method, and off the map, the answer is the one error body."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from hub.app import Settings, create_app
from hub.settings import DatabaseSettings, HttpSettings, LimitSettings, RedisSettings, StoreSettings, TritonSettings
from tests.hub.problems import assert_problem
from tests.hub.stack import Stack

_OPEN = {"/healthz", "/readyz"}
_DOCS = ("/docs", "/openapi.json")
_EXAMPLES = {"name": "tiny", "tenant": "demo", "alias": "default", "number": "1", "sha256": "0" * 64}


def _page() -> dict[str, dict]:
    """The OpenAPI page's paths."""
    settings = Settings(
        http=HttpSettings(),
        database=DatabaseSettings(database_url="postgresql://nowhere"),
        redis=RedisSettings(redis_url="redis://nowhere"),
        triton=TritonSettings(triton_urls=("nowhere:1",), model_repository="/nowhere"),
        store=StoreSettings(artefact_store="/nowhere", work_directory="/nowhere"),
        limits=LimitSettings(),
    )
    paths: dict[str, dict] = create_app(settings).openapi()["paths"]
    return paths


def _fill(template: str) -> str:
    """A path with something in each of its places."""
    return re.sub(r"{(\w+)}", lambda place: _EXAMPLES.get(place[1], str(uuid4())), template)


_PAGE = _page()
_OPERATIONS = [(method.upper(), _fill(template)) for template, methods in _PAGE.items() for method in methods]
_KEYED = [operation for operation in _OPERATIONS if operation[1] not in _OPEN]


@pytest.fixture
def nobody(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, trust_env=False) as client:
        yield client


def test_the_page_of_the_running_hub_has_the_same_routes(nobody: httpx.Client) -> None:
    assert nobody.get("/openapi.json").json()["paths"].keys() == _PAGE.keys()
    assert len(_OPERATIONS) > 20


@pytest.mark.parametrize(("method", "path"), _KEYED)
def test_without_a_key_nothing_is_told(nobody: httpx.Client, method: str, path: str) -> None:
    for body in ({}, None):
        answer = nobody.request(method, path, json=body)
        assert_problem(answer, 401, "invalid_api_key", reason="missing")


@pytest.mark.parametrize("path", [*sorted(_OPEN), *_DOCS])
def test_health_and_documentation_need_no_key(nobody: httpx.Client, path: str) -> None:
    assert nobody.get(path).status_code == 200


@pytest.mark.parametrize("template", _PAGE)
def test_a_wrong_method_is_refused(tenant: httpx.Client, template: str) -> None:
    path = _fill(template)
    known = {
        method.upper()
        for other, methods in _PAGE.items()
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", other), path)
        for method in methods
    }
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} - known:
        assert_problem(tenant.request(method, path), 405, "method_not_allowed")


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/nothing", "/v1/models/", "/v1/infer/more", "/v1/tenants/x", "/v2", "/..%2f..%2fetc"]
)
def test_what_is_not_there_is_not_found(tenant: httpx.Client, path: str) -> None:
    for method in ("GET", "POST"):
        assert_problem(tenant.request(method, path), 404, "not_found")


@pytest.mark.parametrize("path", ["/healthz", "/v1/key", "/v1/nothing", "/openapi.json"])
def test_a_request_id_comes_back(tenant: httpx.Client, path: str) -> None:
    answer = tenant.get(path, headers={"x-request-id": "my-own~id/7"})
    assert answer.headers["x-request-id"] == "my-own~id/7"
    assert answer.headers["x-conch-version"]


@pytest.mark.parametrize("unsafe", [b"", b"a b", b"\xe9", b"x" * 129, b"tab\there"])
def test_a_request_id_that_is_unsafe_in_a_log_is_replaced(tenant: httpx.Client, unsafe: bytes) -> None:
    made = {tenant.get("/healthz", headers={"x-request-id": unsafe}).headers["x-request-id"] for _ in range(2)}
    assert len(made) == 2
    assert unsafe.decode("latin-1") not in made
