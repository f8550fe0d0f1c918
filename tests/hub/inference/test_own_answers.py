"""Many clients at once, each with texts of its own: nobody gets another's answer."""

from __future__ import annotations

import asyncio
import base64

import httpx
import numpy as np
import psycopg

from tests.hub.stack import Stack

_CLIENTS, _TEXTS = 64, 2000


async def test_64_clients_with_2000_distinct_texts(stack: Stack, database: psycopg.AsyncConnection) -> None:
    texts = [f"case {number}: {_spell(number)}" for number in range(_TEXTS)]
    headers = {"authorization": f"Bearer {stack.demo_key}"}
    before = await _count(database)
    async with httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=120, trust_env=False) as client:
        expected = np.concatenate([await _embed(client, texts[start : start + 500]) for start in range(0, _TEXTS, 500)])
        answers = np.empty_like(expected)

        async def run(own: range) -> None:
            for number in own:
                answers[number] = (await _embed(client, [texts[number]]))[0]

        await asyncio.gather(*(run(range(start, _TEXTS, _CLIENTS)) for start in range(_CLIENTS)))
    similarity = answers @ expected.T
    assert (similarity.argmax(axis=1) == np.arange(_TEXTS)).all()
    assert similarity.diagonal().min() > 0.99
    assert await _count(database) - before == _TEXTS + _TEXTS // 500


async def _embed(client: httpx.AsyncClient, texts: list[str]) -> np.ndarray:
    body = {"model": "minilm", "input": texts, "encoding_format": "base64"}
    answer = await client.post("/v1/embeddings", json=body)
    assert answer.status_code == 200, answer.text
    return np.stack([np.frombuffer(base64.b64decode(item["embedding"]), "<f4") for item in answer.json()["data"]])


async def _count(database: psycopg.AsyncConnection) -> int:
    row = await (await database.execute("select count(*) from usage_records")).fetchone()
    assert row is not None
    return int(row[0])


def _spell(number: int) -> str:
    """Words that differ from number to number, so that vectors do."""
    words = ["apple", "bridge", "copper", "delta", "ember", "forest", "glass", "harbour", "island", "juniper"]
    return " ".join(words[int(digit)] for digit in str(number))
