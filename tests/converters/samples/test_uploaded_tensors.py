"""An owner's tensors, in the three formats they come in."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.errors import SourceInvalid
from converters.samples.array_file import read_array
from converters.samples.uploaded_tensors import tensors
from registry.spec.signature import DataType, Signature, TensorSpec
from tests.converters.samples.owners import ONE_INPUT, TWO_INPUTS, lines_of, npy, npz, zip_of, zipped

ROW = [[1, 2.5, 3], [4, 5, 6]]


def test_json_has_one_row_or_several_by_name_or_without_for_one_input(tmp_path: Path) -> None:
    entries = [{"inputs": {"x": ROW}}, {"input": [ROW, [[7], [8]]][:1]}, {"x": [[[7], [8]], [[9], [10]]]}]
    rows = tensors(lines_of(tmp_path / "calibration.jsonl", entries), ONE_INPUT).items
    assert [row["x"].tolist() for row in rows] == [[ROW], [[[7], [8]]], [[[9], [10]]]]
    assert {row["x"].dtype for row in rows} == {np.dtype(np.float32)}


def test_several_inputs_go_together(tmp_path: Path) -> None:
    arrays = {"ids": np.arange(12, dtype=np.int64).reshape(4, 3), "mask": np.array([True, False, True, True])}
    path = zip_of(
        tmp_path / "calibration.zip", {"a.npz": npz(**arrays), "b.npz": npz(ids=np.ones(3, int), mask=np.array(True))}
    )
    rows = tensors(path, TWO_INPUTS).items
    assert len(rows) == 5
    assert all(row["ids"].shape == (1, 3) and row["ids"].dtype == np.int32 for row in rows)
    assert sorted(bool(row["mask"][0]) for row in rows) == [False, True, True, True, True]


def test_an_array_of_many_rows_is_many_samples(tmp_path: Path) -> None:
    many = np.random.default_rng(0).standard_normal((700, 2, 5))
    found = tensors(zip_of(tmp_path / "calibration.zip", {"x.npy": npy(many)}), ONE_INPUT)
    assert len(found.items) == 512
    assert found.data().description == "The owner's own tensors, calibration.zip (512 of 700)"


def test_columns_are_inputs(tmp_path: Path) -> None:
    path = tmp_path / "calibration.parquet"
    table = pyarrow.table({"ids": [[1, 2, 3], [4, 5, 6]], "mask": [True, False], "label": ["a", "b"]})
    pyarrow.parquet.write_table(table, path)
    rows = tensors(path, TWO_INPUTS).items
    assert [row["ids"].tolist() for row in rows] == [[[1, 2, 3]], [[4, 5, 6]]]


def test_strings_are_tensors_too(tmp_path: Path) -> None:
    signature = Signature((TensorSpec("s", DataType.BYTES, (2,)),), ())
    (row,) = tensors(lines_of(tmp_path / "calibration.jsonl", [{"s": ["a", "ü" * 9]}]), signature).items
    assert row["s"].tolist() == [["a", "ü" * 9]]
    assert row["s"].dtype == np.object_


BAD_JSON: dict[str, tuple[Any, str]] = {
    "no such input": ({"inputs": {"y": ROW}}, "has no input 'x' in line 1"),
    "another shape": ({"x": [1, 2]}, r"has the shape \[1, 2\]|has the shape \[2\]"),
    "a dimension that differs": ({"x": [ROW[0]] * 3}, r"has the shape \[1, 3, 3\]"),
    "rows of different lengths": ({"x": [[1], [2, 3]]}, "nested unevenly"),
    "a string": ({"x": [["1"], ["2"]]}, "holds str"),
    "a truth value": ({"x": [[True], [False]]}, "holds bool"),
    "null": ({"x": [[None], [1]]}, "holds NoneType"),
    "an object": ({"x": [[{}], [1]]}, "nested unevenly|holds dict"),
    "a number FP32 has not": ({"x": [[1e39], [1]]}, "out of its range"),
    "an integer no float has": ({"x": [[10**400], [1]]}, "out of its range"),
    "nothing": ({"x": [[], []]}, "is empty"),
    "40 dimensions": ({"x": eval("[" * 40 + "1" + "]" * 40)}, "nested unevenly|has the shape"),
}


@pytest.mark.parametrize("case", BAD_JSON)
def test_what_is_wrong_with_tensors_is_said(case: str, tmp_path: Path) -> None:
    entry, message = BAD_JSON[case]
    with pytest.raises(SourceInvalid, match=message) as error:
        tensors(lines_of(tmp_path / "calibration.jsonl", [entry]), ONE_INPUT)
    assert error.value.remedy == "The model's inputs are x FP32 [rows, 2, any]."


BAD_ARRAYS: dict[str, tuple[dict[str, bytes], str]] = {
    "NaN": ({"x.npy": npy(np.full((2, 3), np.nan))}, "holds NaN"),
    "infinity": ({"x.npy": npy(np.full((2, 3), np.inf, np.float32))}, "infinity"),
    "complex numbers": ({"x.npy": npy(np.ones((2, 3), np.complex64))}, "objects"),
    "a mask for numbers": ({"x.npy": npy(np.ones((2, 3), bool))}, "is bool"),
    "records": ({"x.npy": npy(np.zeros(2, dtype=[("a", "f4")]))}, "objects"),
    "the name of nothing": ({"a.npz": npz(y=np.ones((2, 3)))}, "has no input 'x'"),
    "text": ({"readme.txt": b"these are my tensors"}, "none of the formats"),
    "half an .npz": ({"a.npz": npz(x=np.ones((2, 3)))[:90]}, "calibration.zip: a.npz is not a zip file"),
    "an archive in an archive in an archive": ({"a.npz": zipped({"x.npy": npz(x=np.ones((2, 3)))})}, "an archive"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_what_is_wrong_with_arrays_is_said(case: str, tmp_path: Path) -> None:
    files, message = BAD_ARRAYS[case]
    with pytest.raises(SourceInvalid, match=message) as error:
        tensors(zip_of(tmp_path / "calibration.zip", files), ONE_INPUT)
    assert error.value.remedy


def test_inputs_of_different_lengths_do_not_go_together(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "calibration.zip", {"a": npz(ids=np.ones((2, 3), int), mask=np.ones(3, bool))})
    with pytest.raises(SourceInvalid, match="different numbers of rows"):
        tensors(path, TWO_INPUTS)


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2**70])
def test_an_integer_is_never_wrapped(value: int, tmp_path: Path) -> None:
    path = lines_of(tmp_path / "calibration.jsonl", [{"ids": [1, 2, value], "mask": True}])
    with pytest.raises(SourceInvalid, match="out of its range"):
        tensors(path, TWO_INPUTS)


@given(
    st.sampled_from(["f4", "f8", "i8", "u1", "?", "<U3"]),
    st.lists(st.integers(0, 4), max_size=4),
    st.booleans(),
)
def test_an_npy_file_is_read_as_numpy_reads_it(dtype: str, shape: list[int], fortran: bool) -> None:
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype, order="F" if fortran else "C")
    np.testing.assert_array_equal(read_array(npy(array)), array, strict=True)


@given(st.data())
def test_no_damage_to_an_npy_file_causes_anything_else(data: st.DataObject) -> None:
    content = bytearray(npy(np.ones((3, 4), np.float32)))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        assert read_array(bytes(content)).nbytes <= len(content)
