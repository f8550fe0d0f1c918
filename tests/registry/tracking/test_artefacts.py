"""Listings as no MLflow server of today gives them, but one that is hostile might."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from registry.tracking import Limits, SourceRefused, artefacts
from registry.tracking.artefacts import Artefacts


@dataclass(frozen=True)
class _Entry:
    path: str
    is_dir: bool = False
    file_size: int | None = 1


class _Repository:
    """Answers with the same listing for each directory, and with more bytes than it said."""

    def __init__(self, listings: Mapping[str | None, list[_Entry]]) -> None:
        self._listings = listings

    def list_artifacts(self, path: str | None) -> list[_Entry]:
        return self._listings[path]

    def download_artifacts(self, path: str, directory: str) -> str:
        file = Path(directory, path)
        file.write_bytes(b"x" * 1000)
        return str(file)


def _opened(monkeypatch: pytest.MonkeyPatch, listings: Mapping[str | None, list[_Entry]]) -> Artefacts:
    monkeypatch.setattr(artefacts, "artifact_repository", lambda uri, tracking_uri: _Repository(listings))
    return Artefacts("mlflow-artifacts:/1", "http://host")


@pytest.mark.parametrize(
    "path",
    [
        "../MLmodel",
        "data/../../MLmodel",
        "/etc/passwd",
        "",
        "..",
        "data\\..\\model.onnx",
        "line\nbreak",
        "zero\0byte",
        "a/" * 30 + "deep",
        "x" * 300,
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = _opened(monkeypatch, {None: [_Entry("MLmodel"), _Entry(path)]})
    with pytest.raises(SourceRefused, match="leads out of the model"):
        listed.listing(Limits())


def test_directories_without_end_are_too_many_files(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = _opened(monkeypatch, {None: [_Entry("loop", is_dir=True)], "loop": [_Entry("loop", is_dir=True)]})
    with pytest.raises(SourceRefused, match="more than 1000 files"):
        listed.listing(Limits())


def test_a_file_that_is_larger_than_was_said_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listed = _opened(monkeypatch, {None: [_Entry("model.onnx")]})
    assert listed.listing(Limits()) == {"model.onnx": 1}
    with pytest.raises(SourceRefused, match="more than 999 bytes"):
        listed.download("model.onnx", tmp_path, 999)
