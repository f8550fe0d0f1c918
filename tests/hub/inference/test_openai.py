"""OpenAI's own client, with only `base_url` and the key changed."""

from __future__ import annotations

import base64

import numpy as np
import openai
import pytest


def test_float_and_base64_are_the_same_vectors(openai_client: openai.OpenAI) -> None:
    texts = ["Triton speaks through a conch.", "A ledger sums to zero."]
    floats = openai_client.embeddings.create(model="minilm", input=texts, encoding_format="float")
    encoded = openai_client.embeddings.create(model="minilm", input=texts)  # the client asks for base64 and decodes it
    assert [item.index for item in floats.data] == [0, 1]
    for as_float, as_base64 in zip(floats.data, encoded.data, strict=True):
        assert len(as_float.embedding) == 384
        np.testing.assert_allclose(as_float.embedding, as_base64.embedding, atol=1e-6)
        assert abs(np.linalg.norm(as_float.embedding) - 1) < 1e-4
    assert floats.usage.prompt_tokens == floats.usage.total_tokens > 8


def test_base64_is_little_endian_fp32(openai_client: openai.OpenAI) -> None:
    answer = openai_client.embeddings.with_raw_response.create(model="minilm", input="x", encoding_format="base64")
    raw = base64.b64decode(answer.http_response.json()["data"][0]["embedding"])
    assert np.frombuffer(raw, "<f4").shape == (384,)


def test_2048_inputs_keep_their_order(openai_client: openai.OpenAI) -> None:
    texts = [f"sentence number {number} of many" for number in range(2048)]
    answer = openai_client.embeddings.create(model="minilm", input=texts)
    assert [item.index for item in answer.data] == list(range(2048))
    for number in (0, 31, 32, 1000, 2047):
        alone = openai_client.embeddings.create(model="minilm", input=texts[number])
        assert _cosine(answer.data[number].embedding, alone.data[0].embedding) > 0.999


def test_2049_inputs_are_refused(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError):
        openai_client.embeddings.create(model="minilm", input=["x"] * 2049)


def test_empty_text_and_long_text(openai_client: openai.OpenAI) -> None:
    words = "word " * 10_000
    answer = openai_client.embeddings.with_raw_response.create(model="minilm", input=["", words, "short"])
    body = answer.http_response.json()
    assert len(body["data"]) == 3
    cut = [item["truncated_tokens"] for item in body["data"]]
    assert cut[0] == cut[2] == 0
    assert cut[1] > 9000
    assert body["usage"]["truncated_tokens"] == cut[1]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"model": "nowhere", "input": "x"}, openai.NotFoundError),
        ({"model": "minilm", "input": []}, openai.UnprocessableEntityError),
        ({"model": "minilm", "input": [1, 2, 3]}, openai.UnprocessableEntityError),
        ({"model": "minilm", "input": "x", "dimensions": 7}, openai.UnprocessableEntityError),
        ({"model": "tiny", "input": "x"}, openai.UnprocessableEntityError),
    ],
)
def test_errors_are_the_clients_own(openai_client: openai.OpenAI, arguments: dict, error: type[Exception]) -> None:
    with pytest.raises(error):
        openai_client.embeddings.create(**arguments)


def test_a_wrong_key_is_an_authentication_error(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError):
        openai_client.with_options(api_key="conch_live_wrong").embeddings.create(model="minilm", input="x")


def test_models_are_listed(openai_client: openai.OpenAI) -> None:
    assert "minilm" in [model.id for model in openai_client.models.list()]
    assert openai_client.models.retrieve("minilm").owned_by == "demo"


def _cosine(a: list[float], b: list[float]) -> float:
    return float(np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))
