"""`/docs` shows the OpenAPI page without the help of any other host."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from fastapi import FastAPI

import hub.http
from hub.http import documentation, problems
from hub.http.context import RequestContext
from hub.observability.metrics import Metrics

STATIC = Path(hub.http.__file__).parent / "static"


class _Links(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert not any(name.startswith("on") or name == "style" for name, _ in attributes)
        found = {name: value for name, value in attributes if name in ("src", "href")}
        assert tag not in ("script", "link") or found, "everything is a file of its own"
        self.links += [value for value in found.values() if value is not None]


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = FastAPI(docs_url=None, redoc_url=None)
    app.state.metrics = Metrics()
    problems.install(app)
    documentation.install(app)
    transport = httpx.ASGITransport(app=RequestContext(app, app.state.metrics))
    return httpx.AsyncClient(transport=transport, base_url="http://conch")


async def test_the_page_and_all_it_names_come_from_the_hub(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    links = [link for link in _Links(page.text).links if link != "data:,"]
    assert len(links) == 3
    for link in links:
        assert urljoin("http://conch/behind/docs", link).startswith("http://conch/behind/docs/static/")
        asset = await client.get(urljoin("/docs", link))
        assert asset.status_code == 200
        assert re.match("text/(javascript|css)", asset.headers["content-type"])


async def test_nothing_refers_to_another_host(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert "//" not in page.text
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert {source for sources in policy.values() for source in sources.split()} == {
        "'self'",
        "'none'",
        "'unsafe-inline'",
        "data:",
    }
    assert policy["default-src"] == "'self'"
    code = (STATIC / "documentation.js").read_text()
    assert "validatorUrl: null" in code
    assert 'url: "openapi.json"' in code
    assert not re.findall(r"url\((?!['\"]?data:)|@import", (STATIC / "swagger-ui" / "swagger-ui.css").read_text())


async def test_files_of_others_are_not_served(client: httpx.AsyncClient) -> None:
    for path in ("/docs/static/", "/docs/static/nothing.js", "/docs/static/..%2fproblems.py", "/redoc"):
        answer = await client.get(path)
        assert answer.status_code == 404, path
        assert json.loads(answer.text)["error"]["code"] == "not_found"


def test_the_viewer_keeps_its_licences() -> None:
    assert {path.name for path in (STATIC / "swagger-ui").iterdir()} >= {
        "LICENSE",
        "NOTICE",
        "VERSION",
        "swagger-ui-bundle.js.LICENSE.txt",
    }
