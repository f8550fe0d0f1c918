"""The built-in texts: apart from each other, and the same every time."""

from __future__ import annotations

from converters.samples.prose import prose_sentences
from converters.samples.text import calibration_texts, held_out_texts, selection_texts


def test_texts_are_repeatable_disjoint_and_of_all_lengths() -> None:
    calibration = calibration_texts(0)
    held_out = held_out_texts(0, calibration)
    assert calibration == calibration_texts(0)
    assert calibration != calibration_texts(1)
    assert len(calibration.texts) == 256
    assert len(held_out.texts) == 576
    assert len(set(held_out.texts)) == 576
    selection = selection_texts(0, calibration)
    assert len(selection.texts) > 500
    sets = [set(texts.texts) for texts in (calibration, selection, held_out)]
    assert not sets[0] & sets[1] | sets[0] & sets[2] | sets[1] & sets[2]
    for texts in (calibration.texts, held_out.texts):
        lengths = [len(text.split()) for text in texts]
        assert min(lengths) < 8
        assert max(lengths) > 150


def test_prose_is_told_from_code_and_tables() -> None:
    assert prose_sentences("The sea is wide. Ships cross it\n    every day of the year.") == [
        "The sea is wide.",
        "Ships cross it every day of the year.",
    ]
    assert prose_sentences(">>> open(path)") == []
    assert prose_sentences("Parameters\n----------\nx : int") == []
