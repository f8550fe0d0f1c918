from __future__ import annotations

from converters.samples.conversations import CALIBRATION, conversations
from converters.subject import Split


def test_the_three_sets_share_no_text_and_are_long_enough_to_judge_on() -> None:
    found = conversations(0)
    texts = {name: set(part.texts) for name, part in found.items()}
    assert not texts[CALIBRATION] & texts[Split.SELECTION]
    assert not texts[CALIBRATION] & texts[Split.HELD_OUT]
    assert not texts[Split.SELECTION] & texts[Split.HELD_OUT]
    words = sum(len(text.split()) for text in texts[Split.HELD_OUT])
    assert words > 6000  # the share of agreement is then known to half a per cent


def test_the_descriptions_say_that_questions_are_among_the_prose() -> None:
    assert all("questions with their answers" in part.description for part in conversations(0).values())
