"""What a search finds out outlives the process that found it, and is believed only where it still holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from converters.search.journal import Journal
from registry.spec.certificate import Latency


def _never() -> float:
    raise AssertionError("it was found before")


def test_nothing_is_found_out_twice(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    assert Journal(path, "a").once("loss x", float, lambda: 0.25) == 0.25
    assert Journal(path, "a").once("loss x", float, _never) == 0.25


def test_models_come_back_as_models(tmp_path: Path) -> None:
    entry = Latency(load="1 × 4", threads=1, float_ms=2, quantized_ms=1, ratio=0.5, ratio_low=0.4, ratio_high=0.6)
    path = tmp_path / "journal.jsonl"
    Journal(path, "a").once("latency x", list[Latency], lambda: [entry])
    assert Journal(path, "a").once("latency x", list[Latency], list) == [entry]


def test_what_was_found_under_other_circumstances_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path, "old software").once("loss x", float, lambda: 0.25)
    assert Journal(path, "new software").once("loss x", float, lambda: 0.5) == 0.5


@pytest.mark.parametrize("cut", [1, 7, 30])
def test_a_line_that_a_kill_cut_off_is_found_out_again(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, "a")
    journal.once("loss x", float, lambda: 0.25)
    journal.once("loss y", float, lambda: 0.5)
    path.write_bytes(path.read_bytes()[:-cut])
    again = Journal(path, "a")
    assert again.once("loss x", float, _never) == 0.25
    assert again.once("loss y", float, lambda: 0.75) == 0.75
    assert Journal(path, "a").once("loss y", float, _never) == 0.75
