import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from registry.spec import runtime
from registry.spec.embedder import Embedder
from registry.spec.embedding import Pooling
from registry.spec.runtime import EmbeddingRuntime
from tests.triton_repo import graphs

BATCH_TOKENS = 40


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return graphs.write_embedding(tmp_path_factory.mktemp("embedder"), batch_tokens=BATCH_TOKENS)


@pytest.fixture(scope="module")
def model(directory: Path) -> EmbeddingRuntime:
    read = runtime.read(directory / "runtime.json")
    assert isinstance(read, EmbeddingRuntime)
    return read


@pytest.fixture(scope="module")
def embedder(directory: Path, model: EmbeddingRuntime) -> Embedder:
    return Embedder.open(directory, model, 1)


@pytest.fixture(scope="module")
def table(directory: Path) -> np.ndarray:
    (table,) = (c for c in onnx.load(directory / "model.onnx").graph.initializer if c.name == "table")
    return numpy_helper.to_array(table)


@given(texts=st.lists(st.lists(st.integers(0, graphs.WORDS - 1), max_size=30), max_size=12))
@settings(deadline=None)
def test_every_text_has_its_own_vector_and_count(embedder: Embedder, table: np.ndarray, texts: list) -> None:
    vectors, usage = embedder.embed([" ".join(f"w{word}" for word in text) for text in texts])
    assert vectors.shape == (len(texts), graphs.DIMENSIONS)
    assert usage.shape == (len(texts), 2)
    for text, vector, (read, cut) in zip(texts, vectors, usage, strict=True):
        ids = [1, *(word + 3 for word in text[: graphs.MAX_TOKENS - 2]), 2]
        mean = table[ids].mean(axis=0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)
        assert (read, read + cut) == (len(ids), len(text) + 2)


@given(lengths=st.lists(st.integers(0, 30), min_size=1, max_size=20))
@settings(deadline=None)
def test_a_run_is_capped_by_its_padded_tokens(embedder: Embedder, lengths: list[int]) -> None:
    runs: list[tuple[int, int]] = []
    run = embedder._session.run

    def counted(outputs: list, feeds: dict) -> list:
        runs.append(feeds["input_ids"].shape)
        return run(outputs, feeds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedder, "_session", type("Counted", (), {"run": staticmethod(counted)}))
        embedder.embed([" ".join(["w1"] * length) for length in lengths])
    assert sum(rows for rows, _ in runs) == len(lengths)
    assert all(rows * tokens <= BATCH_TOKENS or rows == 1 for rows, tokens in runs)
    longest = [tokens for _, tokens in runs]
    assert longest == sorted(longest), "texts of similar length run together"


@pytest.mark.parametrize("pooling", list(Pooling))
def test_pooling_and_normalisation_are_the_models(
    directory: Path, model: EmbeddingRuntime, table: np.ndarray, pooling: Pooling
) -> None:
    unnormalized = dataclasses.replace(model, pooling=pooling, normalize=False)
    vectors, _ = Embedder.open(directory, unnormalized, 1).embed(["w5"])
    tokens = table[[1, 8, 2]]
    expected = {Pooling.MEAN: tokens.mean(axis=0), Pooling.CLS: tokens[0], Pooling.MAX: tokens.max(axis=0)}
    np.testing.assert_allclose(vectors[0], expected[pooling], atol=1e-6)
