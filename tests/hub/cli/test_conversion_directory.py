"""The output of `conch convert`: nothing in it that is somebody else's is ever touched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from hub.cli.conversion_directory import MARKER, OutputUnusable, opened
from registry.certificates.document import Document
from tests.registry.certificates.given import CERTIFICATE
from tests.unprivileged import unprivileged

_DOCUMENT = Document(CERTIFICATE.model_dump(mode="json"), None)


def test_a_directory_of_somebody_elses_is_refused_even_with_a_cache(tmp_path: Path) -> None:
    for name in ("cache", "photographs", "model"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").write_text("x")
    with pytest.raises(OutputUnusable, match="is not empty"), opened(tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "cache",
        "mine",
        "mine",
        "mine",
        "model",
        "photographs",
    ]


def test_only_what_a_conversion_writes_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").write_text("x")
    output = tmp_path / "out"
    with opened(output):
        pass
    for name in ("cache", "made", "model", "canonical", "staging", "photographs"):
        (output / name).mkdir()
        (output / name / "file").write_text("x")
    for name in ("certificate.json", "probe.json", "signing-key.pem", "notes"):
        (output / name).write_text("x")
    (output / "certificate.html").symlink_to(tmp_path / "elsewhere")
    with opened(output) as directory:
        assert list(directory.clear().iterdir()) == []
    left = {path.name for path in output.iterdir()}
    assert left == {MARKER, "cache", "photographs", "staging", "signing-key.pem", "notes"}
    assert (output / "cache" / "file").exists()
    assert (tmp_path / "elsewhere" / "kept").exists()


def test_a_conversion_keeps_its_id_until_it_is_done(tmp_path: Path) -> None:
    with opened(tmp_path / "one") as directory:
        first = directory.conversion_id
    with opened(tmp_path / "one") as directory:
        assert directory.conversion_id == first
    with opened(tmp_path / "two") as directory:
        assert directory.conversion_id != first


def test_a_marker_that_a_kill_left_empty_gets_an_id(tmp_path: Path) -> None:
    (tmp_path / MARKER).touch()
    with opened(tmp_path) as directory:
        assert (tmp_path / MARKER).read_text() == f"{directory.conversion_id}\n"


def _before_opening(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Let something happen after the directory has been listed, and before its marker is opened."""
    real = os.open

    def opening(path: Any, *arguments: Any, **named: Any) -> int:
        if Path(path).name == MARKER:
            monkeypatch.setattr(os, "open", real)
            happens()
        return real(path, *arguments, **named)

    monkeypatch.setattr(os, "open", opening)


def _finish(path: Path) -> None:
    """Do a whole conversion in `path`."""
    with opened(path) as directory:
        directory.clear()
        (path / "made" / "model").mkdir(parents=True)
        directory.remove_staging()
        directory.lay_out(_DOCUMENT)
        directory.finish()


@pytest.mark.parametrize("begun", [True, False], ids=["an unfinished directory", "an empty directory"])
def test_a_result_that_is_finished_just_before_the_marker_is_opened_is_kept(
    begun: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if begun:
        with opened(tmp_path):
            pass
    _before_opening(monkeypatch, lambda: _finish(tmp_path))
    with pytest.raises(OutputUnusable, match="is not empty"), opened(tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["certificate.html", "certificate.json", "model"]


def test_a_marker_without_an_id_beside_something_is_not_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "certificate.json").write_text("x")
    (tmp_path / MARKER).touch()
    with pytest.raises(OutputUnusable, match="is not empty"), opened(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["certificate.json"]


def test_a_marker_that_is_just_made_is_anothers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _before_opening(monkeypatch, (tmp_path / MARKER).touch)
    with pytest.raises(OutputUnusable, match="Another conversion"), opened(tmp_path):
        pass


def test_what_a_child_has_shut_is_taken_away() -> None:
    def work(directory: Path) -> None:
        for name in ("made", "cache"):
            (directory / "out" / name / "shut" / "inner").mkdir(parents=True)
        (directory / "out" / MARKER).write_text(f"{uuid4()}\n")
        for name in ("made", "cache"):
            (directory / "out" / name / "shut").chmod(0)
        with opened(directory / "out") as conversion:
            conversion.clear()
            conversion.finish()
        assert [path.name for path in (directory / "out").iterdir()] == ["staging"]

    unprivileged(work)


def test_two_conversions_do_not_share_a_directory(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(OutputUnusable, match="Another conversion"), opened(tmp_path):
        pass


@pytest.mark.parametrize("finished", [True, False])
def test_a_finished_conversion_is_not_begun_again(finished: bool, tmp_path: Path) -> None:
    with opened(tmp_path) as directory:
        directory.cache.mkdir()
        (tmp_path / "made" / "model").mkdir(parents=True)
        (tmp_path / "made" / "model" / "model.onnx").write_text("x")
        directory.lay_out(_DOCUMENT)
        assert (tmp_path / "model" / "model.onnx").read_text() == "x"
        if finished:
            directory.finish()
            assert sorted(path.name for path in tmp_path.iterdir()) == ["certificate.html", "certificate.json", "model"]
    if finished:
        with pytest.raises(OutputUnusable, match="is not empty"), opened(tmp_path):
            pass
        return
    with opened(tmp_path) as directory:  # it was killed before: the findings are there, the rest is made anew
        directory.clear()
        assert not (tmp_path / "model").exists()
        assert directory.cache.is_dir()


def test_the_child_does_not_choose_what_its_files_replace(tmp_path: Path) -> None:
    with opened(tmp_path) as directory:
        (tmp_path / "made").mkdir()
        for name in (MARKER, "request.json", "certificate.json", "probe.json"):
            (tmp_path / "made" / name).write_text("hostile")
        directory.lay_out(_DOCUMENT)
        assert (tmp_path / MARKER).read_text().strip() == directory.conversion_id
    assert not (tmp_path / "request.json").exists()
    assert "hostile" not in (tmp_path / "certificate.json").read_text()
    assert (tmp_path / "probe.json").read_text() == "hostile"


@pytest.mark.parametrize("place", ["file/out", "/proc/out"])
def test_a_place_where_nothing_can_be_made_is_named(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputUnusable, match="cannot be made") as error, opened(tmp_path / place):
        pass
    assert "Name a new directory" in error.value.remedy
