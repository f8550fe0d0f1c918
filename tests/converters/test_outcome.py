"""What a child left, looked at before anybody opens it: it may have been taken over."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from converters.errors import ConversionFailed
from converters.outcome import check_places
from converters.removal import discard, remove_tree
from converters.report import ConversionReport
from tests.unprivileged import unprivileged

LEFT: dict[str, Callable[[Path], object]] = {
    "a link to a file": lambda path: path.symlink_to("/etc/passwd"),
    "a link to a directory": lambda path: path.symlink_to("/etc"),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a pipe": os.mkfifo,
    "a socket": lambda path: os.mknod(path, stat.S_IFSOCK),
    "a file that may not be read": lambda path: path.touch(mode=0o200),
    "a directory that may not be entered": lambda path: path.mkdir(mode=0o600),
    "a directory that may not be listed": lambda path: path.mkdir(mode=0o300),
}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """What an honest child leaves."""
    for name in ("model/model.onnx", "canonical/model.onnx", "probe.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"made")
    return tmp_path


def _report(made: Path) -> ConversionReport:
    return ConversionReport.model_construct(
        model_directory=made / "model", canonical=[made / "canonical" / "model.onnx"], probe=made / "probe.json"
    )


def test_plain_files_in_their_places_pass(made: Path) -> None:
    check_places(_report(made), made)


@pytest.mark.parametrize("directory", ["", "model", "canonical"])
@pytest.mark.parametrize("kind", LEFT)
def test_what_is_no_plain_file_is_refused_before_it_is_opened(kind: str, directory: str, made: Path) -> None:
    """Whoever opens a pipe waits for its other end."""
    LEFT[kind](made / directory / "left")
    with pytest.raises(ConversionFailed, match="other than plain files"):
        check_places(_report(made), made)


def test_a_place_that_is_shut_is_refused(made: Path) -> None:
    made.chmod(0)
    try:
        with pytest.raises(ConversionFailed, match="other than plain files"):
            check_places(_report(made), made)
    finally:
        made.chmod(0o700)


def test_nothing_hides_behind_modes_from_who_is_not_root() -> None:
    """Not even a pipe in a directory that only its owner could open again."""

    def work(directory: Path) -> None:
        for name in ("model/model.onnx", "canonical/model.onnx", "probe.json", "canonical/shut/pipe"):
            (directory / name).parent.mkdir(exist_ok=True)
            (directory / name).write_bytes(b"made")
        (directory / "canonical/shut/pipe").unlink()
        os.mkfifo(directory / "canonical/shut/pipe")
        for shut in (directory / "canonical/shut", directory):
            shut.chmod(0)
            with pytest.raises(ConversionFailed, match="other than plain files"):
                check_places(_report(directory), directory)
        directory.chmod(0o700)
        remove_tree(directory / "canonical")
        assert not (directory / "canonical").exists()

    unprivileged(work)


def test_what_cannot_be_removed_is_logged_and_no_more(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    discard(tmp_path / "file")
    assert "cannot be removed" in caplog.text
    discard(tmp_path / "not there")


def test_a_link_is_not_followed_when_modes_are_restored() -> None:
    def work(directory: Path) -> None:
        (directory / "kept").mkdir(mode=0o500)
        (directory / "made" / "shut" / "inner").mkdir(parents=True)
        (directory / "made" / "shut" / "link").symlink_to(directory / "kept")
        (directory / "made" / "shut").chmod(0)
        remove_tree(directory / "made")
        assert not (directory / "made").exists()
        assert stat.S_IMODE((directory / "kept").stat().st_mode) == 0o500

    unprivileged(work)


def test_what_serves_has_no_directories_in_it(made: Path) -> None:
    (made / "model" / "more").mkdir()
    with pytest.raises(ConversionFailed, match="other than plain files"):
        check_places(_report(made), made)


@pytest.mark.parametrize("missing", ["model", "canonical/model.onnx", "probe.json"])
def test_what_a_report_names_is_there(missing: str, made: Path) -> None:
    report = _report(made)
    (made / missing).rename(made / "elsewhere")
    with pytest.raises(ConversionFailed, match="other than plain files"):
        check_places(report, made)
