"""What a child left, looked at before anybody opens it: it may have been taken over."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from converters.errors import ConversionFailed
from converters.outcome import check_places
from converters.report import ConversionReport

LEFT: dict[str, Callable[[Path], object]] = {
    "a link to a file": lambda path: path.symlink_to("/etc/passwd"),
    "a link to a directory": lambda path: path.symlink_to("/etc"),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a pipe": os.mkfifo,
    "a socket": lambda path: os.mknod(path, stat.S_IFSOCK),
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
