from __future__ import annotations

import pytest

from converters.samples.contents import CALIBRATION, EDGE, contents
from converters.subject import Split


@pytest.fixture(scope="module")
def found() -> dict:
    return dict(contents(0))


def test_there_are_enough_of_many_kinds_to_judge_on(found: dict) -> None:
    assert len(found[Split.HELD_OUT].contents) >= 1000
    assert len(found[CALIBRATION].contents) >= 128
    beginnings = {content[:4] for content in found[Split.HELD_OUT].contents}
    assert {b"\x7fELF", b"\x89PNG"} <= beginnings
    assert len(beginnings) > 300


def test_no_content_is_in_two_sets_or_twice_in_one(found: dict) -> None:
    everything = [content for part in found.values() for content in part.contents]
    assert len(everything) == len(set(everything))


def test_no_more_than_the_two_ends_of_a_content_are_kept(found: dict) -> None:
    assert max(len(content) for part in found.values() for content in part.contents) <= 2 * EDGE


def test_the_same_seed_finds_the_same_contents(found: dict) -> None:
    again = contents(0)
    assert {name: part.data() for name, part in again.items()} == {name: part.data() for name, part in found.items()}
