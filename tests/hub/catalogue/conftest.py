"""A tenant with a model of two published versions, for the tests of names and routes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.hub.catalogue.doubling import publish_factors
from tests.hub.stack import Stack, tiny_part


@dataclass(frozen=True)
class Owner:
    """The tenant and its model `factor`, whose version 1 doubles and whose version 2 triples."""

    http: httpx.Client
    jobs: list[str]

    def answered_by(self, model: str) -> int:
        """The version that answers a call, which is checked by what it answers."""
        answer = self.http.post("/v1/infer", json={"model": model, "input": [tiny_part(1, 2, 3, 4)]})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        version: int = body["version"]
        assert body["output"][0]["data"] == [(version + 1) * number for number in (1, 2, 3, 4)]
        return version

    def route(self, *targets: tuple[int, int], alias: str = "default", reason: str = "") -> httpx.Response:
        """Point an alias at versions with weights."""
        body = {"targets": [{"version": version, "weight": weight} for version, weight in targets], "reason": reason}
        return self.http.put(f"/v1/models/factor/routes/{alias}", json=body)


@pytest.fixture(scope="session")
def owner(stack: Stack, admin: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    key = stack.new_tenant(admin, "owner")
    jobs = publish_factors(stack, key, "factor", tmp_path_factory.mktemp("factor"), [2.0, 3.0])
    with stack.client(key) as http:
        yield Owner(http, jobs)
