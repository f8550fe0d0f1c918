from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from magika import Magika
from magika.types.seekable import Seekable

from registry.spec.classification import ByteWindows, compare, probabilities, top

# Short, as long as a block, longer; with white space around and with nothing but it.
_CONTENTS = st.one_of(
    st.binary(max_size=300),
    st.builds(
        lambda before, middle, times, after: b" \t\n\r\x0b\x0c"[before:] + middle * times + b"\n \t"[after:],
        st.integers(0, 6),
        st.binary(min_size=1, max_size=40),
        st.integers(1, 400),
        st.integers(0, 3),
    ),
)


@given(_CONTENTS)
def test_the_bytes_of_a_content_are_the_features_that_magika_makes(content: bytes) -> None:
    features = Magika._extract_features_from_seekable(Seekable(io.BytesIO(content)), 1024, 0, 1024, 256, 4096, False)
    assert ByteWindows().rows([content])[0].tolist() == features.beg + features.end


def test_what_lies_between_the_two_blocks_of_a_content_is_not_read() -> None:
    edges = b"a" * 4096, b"b" * 4096
    rows = ByteWindows().rows([edges[0] + middle + edges[1] for middle in (b"", b"c" * 100_000)])
    assert (rows[0] == rows[1]).all()


def test_scores_become_probabilities_and_probabilities_stay_what_they_are() -> None:
    scores = np.array([[0.0, np.log(3.0)]], dtype=np.float32)
    assert probabilities(scores)[0] == pytest.approx([0.25, 0.75])
    assert probabilities(np.array([[0.25, 0.75]], dtype=np.float32))[0] == pytest.approx([0.25, 0.75])


def test_a_single_column_is_the_likelihood_of_the_second_of_two_labels() -> None:
    both = probabilities(np.array([[0.25], [1.0], [np.nan]], dtype=np.float32))
    assert both[:2].tolist() == [[0.75, 0.25], [0.0, 1.0]]
    assert np.isnan(both[2]).all()


def test_scores_beyond_what_exp_can_hold_give_a_distribution() -> None:
    assert probabilities(np.array([[1000.0, -1000.0]], dtype=np.float32)).tolist() == [[1.0, 0.0]]


def test_the_likeliest_labels_come_first_and_ties_in_the_order_of_their_numbers() -> None:
    labels, likely = top(np.array([[0.2, 0.4, 0.2, 0.2]]), 3)
    assert labels.tolist() == [[1, 0, 2]]
    assert likely.tolist() == [[0.4, 0.2, 0.2]]


def test_a_classifier_agrees_with_itself() -> None:
    rows = probabilities(np.random.default_rng(0).standard_normal((50, 7)).astype(np.float32))
    agreement = compare(rows, rows)
    assert agreement.first_label.all()
    assert agreement.divergence.max() == 0.0


def test_divergence_is_that_of_kullback_and_leibler() -> None:
    agreement = compare(np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]]))
    assert agreement.divergence[0] == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3))


def test_probabilities_that_are_not_numbers_agree_with_nothing() -> None:
    broken = probabilities(np.array([[np.nan, 1.0]], dtype=np.float32))
    agreement = compare(np.array([[0.5, 0.5]]), broken)
    assert agreement.first_label.tolist() == [0.0]
    assert agreement.divergence[0] > 10
