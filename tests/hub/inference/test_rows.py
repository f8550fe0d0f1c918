"""Cutting a batch into rows, and joining rows into a batch."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.inference.rows import bytes_element, split
from registry.spec.signature import DataType, TensorSpec

_NUMBERS = TensorSpec("x", DataType.FP32, (2,))
_TEXTS = TensorSpec("t", DataType.BYTES, (-1,))


@settings(deadline=None)
@given(st.lists(st.binary(min_size=8, max_size=8), min_size=1, max_size=50))
def test_rows_of_numbers_come_apart_as_they_were_joined(rows: list[bytes]) -> None:
    assert split(b"".join(rows), _NUMBERS, len(rows)) == rows


@settings(deadline=None)
@given(st.integers(0, 3), st.lists(st.binary(max_size=20), min_size=1, max_size=12))
def test_rows_of_texts_come_apart_as_they_were_joined(per_row: int, contents: list[bytes]) -> None:
    rows = [b"".join(bytes_element(content) for _ in range(per_row)) for content in contents]
    assert split(b"".join(rows), _TEXTS, len(rows)) == rows


def test_rows_without_elements_are_empty() -> None:
    assert split(b"", _NUMBERS, 3) == [b"", b"", b""]


def test_what_is_not_even_is_refused() -> None:
    for raw, spec, rows in (
        (bytes(9), _NUMBERS, 2),
        (bytes_element(b"a") * 3, _TEXTS, 2),
        (bytes_element(b"abc")[:-1], _TEXTS, 1),
    ):
        with pytest.raises(ValueError, match="rows"):
            split(raw, spec, rows)


def test_an_element_is_its_length_and_its_content() -> None:
    assert bytes_element("ä".encode()) == struct.pack("<I", 2) + "ä".encode()
