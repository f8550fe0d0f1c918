from __future__ import annotations

from pathlib import Path

from converters.samples.split import Part
from converters.samples.text import Texts
from converters.samples.uploaded import Uploaded
from converters.samples.uploaded_text import texts
from converters.tasks.own_texts import with_own

BUILT_IN = {part.value: Texts((f"{part} one", f"{part} two", "Number 3"), "built in") for part in Part}


def uploaded(directory: Path, count: int) -> Uploaded[str]:
    (directory / "calibration.txt").write_text("\n".join(f"number {index}" for index in range(count)))
    return texts(directory / "calibration.txt")


def test_without_texts_of_the_owners_the_built_in_ones_are_taken() -> None:
    assert with_own(lambda: BUILT_IN, None) == BUILT_IN


def test_few_calibrate_and_what_judges_is_none_of_them(tmp_path: Path) -> None:
    found = with_own(lambda: BUILT_IN, uploaded(tmp_path, 5))
    assert found[Part.CALIBRATION].texts == tuple(f"number {index}" for index in range(5))
    assert "owner" in found[Part.CALIBRATION].description
    assert found[Part.HELD_OUT] == Texts(("held out one", "held out two"), "built in")


def test_enough_of_them_choose_and_judge_as_well(tmp_path: Path) -> None:
    found = with_own(lambda: BUILT_IN, uploaded(tmp_path, 300))
    assert [len(found[part].texts) for part in Part] == [120, 60, 120]
    assert len({text for part in Part for text in found[part].texts}) == 300
    assert found[Part.HELD_OUT].description.endswith("the part held out")


def test_as_many_are_taken_as_are_wanted_and_it_is_said(tmp_path: Path) -> None:
    found = with_own(lambda: BUILT_IN, uploaded(tmp_path, 300), dict.fromkeys(Part, 10))
    assert [len(found[part].texts) for part in Part] == [10, 10, 10]
    assert found[Part.SELECTION].description.endswith("the part to choose by, 10 of 60")
