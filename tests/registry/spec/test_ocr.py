import numpy as np
import pytest

from registry.spec.ocr import (
    TASK,
    decode_line,
    direction_input,
    line_input,
    line_width,
    padded_width,
    page_input,
    signature,
)


def test_a_page_is_fed_in_multiples_of_32_and_no_larger_than_asked() -> None:
    assert page_input(np.zeros((470, 650, 3), dtype=np.uint8), 960).shape == (3, 480, 640)
    assert page_input(np.zeros((3000, 1500, 3), dtype=np.uint8), 960).shape == (3, 960, 480)
    assert page_input(np.zeros((5, 9, 3), dtype=np.uint8), 960).shape == (3, 32, 32)


def test_red_comes_last_and_levels_are_between_minus_one_and_one() -> None:
    red = np.zeros((32, 32, 3), dtype=np.uint8)
    red[..., 0] = 255
    assert page_input(red, 960)[:, 0, 0].tolist() == [-1, -1, 1]


def test_a_line_is_48_high_keeps_its_proportions_and_is_filled_up_with_grey() -> None:
    line = np.full((24, 100, 3), 255, dtype=np.uint8)
    assert line_width(line) == 200
    assert line_input(line).shape == (3, 48, 200)
    filled = line_input(line, padded_width(200))
    assert filled.shape == (3, 48, 320)
    assert (filled[:, :, :200] == 1).all()
    assert (filled[:, :, 200:] == 0).all()
    assert direction_input(line).shape == (3, 48, 192)


def test_what_a_line_is_filled_up_to_depends_on_nothing_else() -> None:
    assert [padded_width(width) for width in (1, 320, 321, 384, 385)] == [320, 320, 384, 384, 448]


def steps(*characters: int) -> np.ndarray:
    likely = np.full((len(characters), 4), 0.1, dtype=np.float32)
    likely[np.arange(len(characters)), characters] = 0.7
    return likely


@pytest.mark.parametrize(
    ("read", "text"),
    [((0, 1, 1, 0, 1, 2, 2), "aab"), ((3, 3, 0, 1), " a"), ((0, 0), ""), ((1, 2, 1), "aba")],
)
def test_repeats_are_merged_and_blanks_left_out(read: tuple[int, ...], text: str) -> None:
    found, score = decode_line(steps(*read), ("a", "b", " "))
    assert found == text
    assert score == pytest.approx(0.7 if text else 0)


def test_the_task_is_judged_by_characters_and_billed_by_the_picture() -> None:
    bounds = {criterion.name: criterion.bound for criterion in TASK.criteria if not criterion.higher_is_better}
    assert bounds == {"character_error": 0.005, "spaced_character_error": None}
    assert TASK.billed_units == ("images",)
    assert [tensor.name for tensor in signature().outputs] == ["text", "lines", "scores", "corners"]
