"""An owner's files of any kind in a zip."""

from __future__ import annotations

from pathlib import Path

import pytest

from converters.errors import SourceInvalid
from converters.samples.uploaded_contents import content_key, files
from tests.converters.samples.owners import lines_of, zip_of


def test_files_of_any_kind_are_read_once_each_and_empty_ones_are_none(tmp_path: Path) -> None:
    given = {"a.py": b"import os", "b": b"\x00\x01", "again.py": b"import os", "empty": b"", "c.zip": b"PK\x03\x04"}
    found = files(zip_of(tmp_path / "calibration.zip", given))
    assert sorted(found.items) == [b"\x00\x01", b"PK\x03\x04", b"import os"]
    assert found.data().description == "The owner's own files, calibration.zip"


def test_of_a_long_file_both_ends_are_kept(tmp_path: Path) -> None:
    first, last = b"a" * 5000, b"z" * 5000
    archive = zip_of(tmp_path / "calibration.zip", {"a": first + b"m" * 9999 + last})
    (content,) = files(archive, edge=5000).items
    assert content == first + last
    (shorter,) = files(archive, edge=50).items
    assert shorter == first[:4096] + last[:4096]
    assert content_key(content) == content_key(shorter), "built-in contents have no more than that"


def test_data_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceInvalid, match="which is files") as error:
        files(lines_of(tmp_path / "calibration.jsonl", [{"text": "a"}]))
    assert "calibration.zip" in error.value.remedy
