"""The split of an owner's data: nothing is in two parts, and nothing but what a sample holds decides where it goes."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from converters.samples.split import LEAST, Part, apart, split

KEYS = st.integers(0, 2**32).flatmap(
    lambda seed: st.builds(
        lambda distinct, repeats: (
            [f"{seed} {i}" for i in range(distinct)] + [f"{seed} {r % distinct}" for r in repeats]
        ),
        st.integers(1, 2 * LEAST),
        st.lists(st.integers(0, 10**6), max_size=50),
    )
)


@given(KEYS)
def test_every_sample_is_in_one_part_and_equal_ones_in_the_same(keys: list[str]) -> None:
    parts = split(keys)
    positions = [position for part in parts.values() for position in part]
    assert sorted(positions) == list(range(len(keys)))
    held = [{keys[position] for position in part} for part in parts.values()]
    assert sum(len(part) for part in held) == len(set(keys))


@given(KEYS, st.integers(0, 2**32))
def test_the_order_of_the_file_changes_nothing(keys: list[str], seed: int) -> None:
    shuffled = random.Random(seed).sample(keys, len(keys))
    before = {part: {keys[i] for i in positions} for part, positions in split(keys).items()}
    after = {part: {shuffled[i] for i in positions} for part, positions in split(shuffled).items()}
    assert before == after


@given(KEYS)
def test_few_samples_only_calibrate(keys: list[str]) -> None:
    parts = split(keys)
    distinct = len(set(keys))
    if distinct < LEAST:
        assert parts == {Part.CALIBRATION: tuple(range(len(keys))), Part.SELECTION: (), Part.HELD_OUT: ()}
    else:
        shares = [len({keys[i] for i in parts[part]}) / distinct for part in Part]
        assert all(abs(share - wanted) < 0.01 for share, wanted in zip(shares, (0.4, 0.2, 0.4), strict=True))


def test_nothing_at_all_is_three_empty_parts() -> None:
    assert set(split([]).values()) == {()}


def test_what_judges_is_kept_apart_from_what_an_owner_brings() -> None:
    assert apart(["A shell.", "A wave."], str.casefold, ["a wave.", "a ship."]) == ["A shell."]
