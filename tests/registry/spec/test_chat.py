from __future__ import annotations

import numpy as np
import pytest

from registry.spec.chat import compare, read


def logits(rng: np.random.Generator, length: int = 12, vocabulary: int = 40) -> np.ndarray:
    return rng.standard_normal((length, vocabulary)).astype(np.float32)


def test_surprise_is_the_negative_logarithm_of_the_softmax_at_the_token_that_follows() -> None:
    rng = np.random.default_rng(0)
    scores, tokens = logits(rng), rng.integers(0, 40, 12)
    reading = read(scores, tokens)
    exact = np.exp(scores.astype(np.float64))
    exact /= exact.sum(axis=1, keepdims=True)
    assert np.allclose(reading.surprise, [-np.log(exact[i, tokens[i + 1]]) for i in range(11)], atol=1e-5)
    assert (reading.first == scores[:-1].argmax(axis=1)).all()


def test_logits_beyond_what_exp_can_hold_are_read_exactly() -> None:
    scores = np.array([[1000.0, 0.0], [0.0, 1000.0], [0.0, 0.0]], dtype=np.float32)
    assert read(scores, np.array([0, 0, 0])).surprise.tolist() == [0.0, 1000.0]


def test_a_decoder_whose_logits_are_not_numbers_is_surprised_without_bound() -> None:
    scores = np.full((4, 5), np.nan, dtype=np.float32)
    assert np.isinf(read(scores, np.array([0, 1, 2, 3])).surprise).all()


def test_a_decoder_agrees_with_itself_and_loses_nothing() -> None:
    rng = np.random.default_rng(1)
    readings = [read(logits(rng), rng.integers(0, 40, 12)) for _ in range(3)]
    agreement = compare(readings, readings)
    assert agreement.loss.tolist() == [0.0, 0.0, 0.0]
    assert agreement.top1.tolist() == [1.0, 1.0, 1.0]
    assert agreement.tokens.tolist() == [11.0, 11.0, 11.0]


def test_a_decoder_that_prefers_another_token_agrees_there_no_more() -> None:
    tokens = np.array([0, 1, 2])
    one = np.array([[0.0, 3.0, 0.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]], dtype=np.float32)
    other = one.copy()
    other[0] = [3.0, 0.0, 0.0]
    agreement = compare([read(one, tokens)], [read(other, tokens)])
    assert agreement.top1.tolist() == [0.5]
    assert agreement.loss[0] == pytest.approx(1.5)  # three nats on one token of two


def test_readings_of_different_texts_are_not_compared() -> None:
    rng = np.random.default_rng(2)
    with pytest.raises(ValueError, match="same texts"):
        compare([read(logits(rng), rng.integers(0, 40, 12))], [])
