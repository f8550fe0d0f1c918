"""Without a key nothing is read, let alone parsed."""

from __future__ import annotations

import httpx
import pytest

from tests.hub.stack import Stack


@pytest.mark.parametrize("path", ["/v1/models", "/v1/tenants", "/v1/keys", "/v1/infer", "/v1/embeddings"])
@pytest.mark.parametrize("body", [b'{"na', b"[]", b"{" * 100_000])
def test_a_body_without_a_key_is_not_looked_at(stack: Stack, path: str, body: bytes) -> None:
    answer = httpx.post(stack.url + path, content=body, headers={"content-type": "application/json"}, trust_env=False)
    assert answer.status_code == 401
    assert answer.json()["error"]["metadata"]["reason"] == "missing"
