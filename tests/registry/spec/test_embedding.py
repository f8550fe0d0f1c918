import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.spec.embedding import Pooling, compare, normalize, pool, signature
from registry.spec.signature import DataType

RANDOM = np.random.default_rng(1)


def batch(lengths: list[int], longest: int, dimensions: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Token vectors and their mask; what the mask hides is large, so that it would show."""
    hidden = RANDOM.normal(size=(len(lengths), longest, dimensions)).astype(np.float32)
    mask = np.zeros((len(lengths), longest), dtype=np.int64)
    for row, length in enumerate(lengths):
        mask[row, :length] = 1
        hidden[row, length:] = 1e6
    return hidden, mask


@given(st.lists(st.integers(1, 7), min_size=1, max_size=6))
def test_pooling_sees_the_tokens_of_a_text_and_no_padding(lengths: list[int]) -> None:
    hidden, mask = batch(lengths, 8)
    texts = [hidden[row, :length].astype(np.float64) for row, length in enumerate(lengths)]
    direct = {
        Pooling.MEAN: [text.mean(axis=0) for text in texts],
        Pooling.MAX: [text.max(axis=0) for text in texts],
        Pooling.CLS: [text[0] for text in texts],
    }
    for pooling, expected in direct.items():
        pooled = pool(hidden, mask, pooling)
        assert pooled.dtype == np.float32
        np.testing.assert_allclose(pooled, expected, atol=1e-5)


def test_normalized_rows_have_length_one_and_zero_stays_zero() -> None:
    unit = normalize(np.array([[3, 4], [0, 0], [1e-3, 0]], dtype=np.float32))
    np.testing.assert_allclose(unit, [[0.6, 0.8], [0, 0], [1, 0]], atol=1e-6)


def test_equal_vectors_agree_entirely_whatever_their_length() -> None:
    vectors = RANDOM.normal(size=(20, 6)).astype(np.float32)
    agreement = compare(vectors, 3 * vectors)
    np.testing.assert_allclose(agreement.cosine, 1, atol=1e-6)
    assert agreement.nearest_kept.tolist() == [1.0] * 20
    np.testing.assert_allclose(agreement.rank_correlation, 1, atol=1e-9)


def test_agreement_is_what_its_names_say() -> None:
    reference = RANDOM.normal(size=(12, 6)).astype(np.float32)
    candidate = reference + RANDOM.normal(scale=0.7, size=(12, 6)).astype(np.float32)
    agreement = compare(reference, candidate)
    before, after = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (reference, candidate))
    for row in range(12):
        others = [other for other in range(12) if other != row]
        similar_before, similar_after = before[others] @ before[row], after[others] @ after[row]
        assert agreement.cosine[row] == pytest.approx(before[row] @ after[row], abs=1e-6)
        assert agreement.nearest_kept[row] == (similar_before.argmax() == similar_after.argmax())
        moved = np.argsort(np.argsort(similar_before)) - np.argsort(np.argsort(similar_after))
        spearman = 1 - 6 * (moved**2).sum() / (11 * (11**2 - 1))
        assert agreement.rank_correlation[row] == pytest.approx(spearman, abs=1e-9)
    assert 0 < agreement.nearest_kept.mean() < 1


def test_too_few_or_unequal_sets_are_no_comparison() -> None:
    vectors = np.ones((3, 4), dtype=np.float32)
    with pytest.raises(ValueError, match="at least 3"):
        compare(vectors[:2], vectors[:2])
    with pytest.raises(ValueError, match="two equal sets"):
        compare(vectors, vectors[:, :3])


def test_the_signature_is_a_text_to_a_vector() -> None:
    (text,), (embedding,) = signature(384).inputs, signature(384).outputs
    assert (text.datatype, text.shape) == (DataType.BYTES, (1,))
    assert (embedding.datatype, embedding.shape) == (DataType.FP32, (384,))
