from hypothesis import given
from hypothesis import strategies as st

from registry.spec.edit_distance import edit_distance

TEXT = st.text("abcé字 ", max_size=12)


def direct(a: str, b: str) -> int:
    """The definition."""
    if not a or not b:
        return len(a) + len(b)
    if a[0] == b[0]:
        return direct(a[1:], b[1:])
    return 1 + min(direct(a[1:], b), direct(a, b[1:]), direct(a[1:], b[1:]))


@given(st.text("ab字", max_size=5), st.text("ab字", max_size=5))
def test_it_is_the_least_number_of_edits(a: str, b: str) -> None:
    assert edit_distance(a, b) == direct(a, b)


@given(TEXT, TEXT, TEXT)
def test_it_is_a_distance(a: str, b: str, c: str) -> None:
    assert edit_distance(a, b) == edit_distance(b, a)
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)
