"""Words wrong in a transcript."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from registry.spec.word_error import errors, words

SOME = st.lists(st.sampled_from(["a", "sea", "shell", "tide"]), max_size=6)


def test_case_and_punctuation_are_not_heard() -> None:
    assert words("Don’t — “stop”, he said: 3.5 times!") == ["don't", "stop", "he", "said", "3", "5", "times"]


def test_every_word_put_in_taken_out_or_replaced_counts_once() -> None:
    said = words("the sea calms the waves")
    assert errors(said, words("the sea calms waves")) == 1
    assert errors(said, words("the old sea calms the waves")) == 1
    assert errors(said, words("a sea calms the waves")) == 1
    assert errors(said, []) == 5
    assert errors([], said) == 5


@given(SOME, SOME, SOME)
def test_it_is_a_distance(one: list[str], two: list[str], three: list[str]) -> None:
    assert (errors(one, two) == 0) == (one == two)
    assert errors(one, two) == errors(two, one)
    assert errors(one, three) <= errors(one, two) + errors(two, three)
