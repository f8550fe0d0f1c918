"""An owner's texts, in the three formats they come in."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from converters.errors import SourceInvalid
from converters.samples.uploaded_text import TEXT_CHARACTERS, texts
from tests.converters.samples.owners import lines_of

TEXTS = ("one", "two", "ünï côde", "a\ttab")


def test_lines_are_texts_without_repeats(tmp_path: Path) -> None:
    path = tmp_path / "calibration.txt"
    path.write_bytes("\ufeffone\r\n\ntwo\n  One \nünï côde\nTWO\na\ttab".encode())
    assert texts(path).items == TEXTS


def test_objects_have_a_text(tmp_path: Path) -> None:
    entries = [*({"text": text, "label": 1} for text in TEXTS), {"input": "three"}]
    assert texts(lines_of(tmp_path / "calibration.jsonl", entries)).items == (*TEXTS, "three")


@pytest.mark.parametrize("kind", [pyarrow.string(), pyarrow.large_string(), "dictionary"])
def test_a_column_has_texts(kind: pyarrow.DataType | str, tmp_path: Path) -> None:
    column = pyarrow.array([*TEXTS, None, "one"])
    column = column.dictionary_encode() if kind == "dictionary" else column.cast(kind)
    path = tmp_path / "calibration.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"id": range(6), "text": column}), path, row_group_size=4)
    assert texts(path).items == TEXTS


BAD: dict[str, tuple[str, bytes, str]] = {
    "nothing": ("txt", b"", "is empty"),
    "blank lines": ("txt", b"\n \n\t\n", "holds no texts"),
    "another encoding": ("txt", "one\nünï\n".encode("latin-1"), "not UTF-8 in line 2"),
    "UTF-16": ("txt", "one".encode("utf-16"), "not UTF-8 in line 1"),
    "UTF-16 without its mark": ("txt", "one".encode("utf-16-le"), "not Unicode text"),
    "a text without end": ("txt", b"word " * 90_000, "bytes in line 1"),
    "a text too long": ("txt", b"w" * (TEXT_CHARACTERS + 1), "more than 100,000 characters"),
    "half a character": ("jsonl", b'{"text": "\\ud800"}', "not Unicode text"),
    "a text that is a number": ("jsonl", b'{"text": "one"}\n{"text": 7}', "no string `text` in line 2"),
    "a list": ("jsonl", b'["one"]', "no JSON object in line 1"),
    "one array over many lines": ("jsonl", b'[\n{"text": "one"},\n', "no valid JSON in line 1"),
    "NaN": ("jsonl", b'{"text": "one", "score": NaN}', "no valid JSON"),
    "nested 100,000 deep": ("jsonl", b'{"text": ' + b"[" * 100_000, "no valid JSON"),
    "an integer of 300,000 digits": ("jsonl", b'{"text": "one", "id": ' + b"9" * 300_000 + b"}", "no valid JSON"),
    "no Parquet": ("parquet", b"PAR1 no it is not PAR1", "not a Parquet file"),
    "images": ("zip", b"PK\x03\x04", "not what this task calibrates with, which is texts"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_texts_is_said(case: str, tmp_path: Path) -> None:
    suffix, content, message = BAD[case]
    path = tmp_path / f"calibration.{suffix}"
    path.write_bytes(content)
    with pytest.raises(SourceInvalid, match=message) as error:
        texts(path)
    assert error.value.message.startswith(f"calibration.{suffix} ")
    assert error.value.remedy
    assert str(tmp_path) not in str(error.value)


@pytest.mark.parametrize(("name", "column"), [("texts", ["a"]), ("text", [1, 2]), ("text", [["a"], ["b"]])])
def test_a_column_that_is_not_text_is_refused(name: str, column: list[object], tmp_path: Path) -> None:
    path = tmp_path / "calibration.parquet"
    pyarrow.parquet.write_table(pyarrow.table({name: column}), path)
    with pytest.raises(SourceInvalid, match="column 'text'") as error:
        texts(path)
    assert "text" in error.value.remedy


def test_without_pyarrow_another_format_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "calibration.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(SourceInvalid, match="pyarrow is not installed") as error:
        texts(path)
    assert "calibration.jsonl" in error.value.remedy
