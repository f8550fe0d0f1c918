"""Which file calibrates, what of it is used, and what the certificate says about it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from converters.errors import SourceInvalid
from converters.samples.split import Part
from converters.samples.uploaded import find
from converters.samples.uploaded_tensors import tensors
from converters.samples.uploaded_text import MOST_TEXTS, texts
from registry.spec.signature import DataType, Signature, TensorSpec
from tests.converters.samples.owners import lines_of


def test_one_calibration_file_is_found_and_none_is_none(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    assert find(tmp_path) is None
    (tmp_path / "calibration.jsonl").touch()
    assert find(tmp_path) == tmp_path / "calibration.jsonl"


def test_two_calibration_files_are_one_too_many(tmp_path: Path) -> None:
    for suffix in ("txt", "zip"):
        (tmp_path / f"calibration.{suffix}").touch()
    with pytest.raises(SourceInvalid, match="more than one calibration file") as error:
        find(tmp_path)
    assert "Upload one of" in error.value.remedy


@pytest.mark.parametrize("name", ["calibration.csv", "calibration.npz", "calibration.TXT", "Calibration.tar.gz"])
def test_a_format_that_is_not_read_is_said_not_ignored(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("a,b\n")
    with pytest.raises(SourceInvalid, match="not read") as error:
        find(tmp_path)
    assert "calibration.parquet" in error.value.remedy


def test_few_texts_calibrate_and_judge_nothing(tmp_path: Path) -> None:
    own = texts(lines_of(tmp_path / "calibration.jsonl", [{"text": f"shell {i}"} for i in range(199)]))
    assert not own.judges
    assert own.part(Part.CALIBRATION) == own
    assert own.part(Part.HELD_OUT).items == ()


def test_many_texts_calibrate_select_and_judge_and_no_text_does_two_of_them(tmp_path: Path) -> None:
    path = lines_of(tmp_path / "calibration.jsonl", [{"text": f"shell {i}"} for i in range(200)])
    own = texts(path)
    parts = [own.part(part) for part in Part]
    assert own.judges
    assert [len(part.items) for part in parts] == [80, 40, 80]
    assert len({text for part in parts for text in part.items}) == 200
    data = parts[-1].data()
    assert data.description == "The owner's own texts, calibration.jsonl, the part held out"
    assert (data.samples, data.sha256) == (80, hashlib.sha256(path.read_bytes()).hexdigest())


def test_of_too_many_the_seed_takes_some_from_everywhere(tmp_path: Path) -> None:
    path = lines_of(tmp_path / "calibration.jsonl", [{"text": f"shell {i}"} for i in range(5000)])
    own = texts(path, seed=1)
    assert own == texts(path, seed=1)
    assert own.items != texts(path, seed=2).items
    assert len(set(own.items)) == MOST_TEXTS
    numbers = [int(text.split()[1]) for text in own.items]
    assert numbers == sorted(numbers)
    assert 2000 < sum(numbers) / len(numbers) < 3000
    assert own.data().description == "The owner's own texts, calibration.jsonl (1024 of 5000)"


def test_large_items_are_fewer_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("converters.samples.uploaded.KEPT_BYTES", 4000)
    signature = Signature((TensorSpec("x", DataType.FP64, (100,)),), ())
    own = tensors(lines_of(tmp_path / "calibration.jsonl", [{"input": [float(i)] * 100} for i in range(50)]), signature)
    assert len(own.items) == 5
    assert own.data().description.endswith("(5 of 50)")
    assert max(float(row["x"][0, 0]) for row in own.items) > 5
