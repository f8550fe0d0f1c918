"""An owner's tensors for a model of the task `tensor`: JSON lines, Parquet columns, or .npy and .npz in a zip."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from converters.samples.array_file import read_array
from converters.samples.content import Content, content_of
from converters.samples.tensor_rows import as_rows, written
from converters.samples.uploaded import Kind, Uploaded, check, choose, refuse
from converters.samples.uploaded_archive import ENTRY_BYTES, Entry, entries
from converters.samples.uploaded_lines import objects
from converters.samples.uploaded_parquet import rows as parquet_rows
from registry.spec.signature import Signature

MOST_ROWS = 512
_LINE_BYTES = 32 * 1024**2  # 3 × 640 × 640 numbers have about 20 MB in JSON

Row = dict[str, NDArray[Any]]
"""Each input of the signature, [1, *shape], in its datatype."""


def tensors(path: Path, signature: Signature, seed: int = 0) -> Uploaded[Row]:
    """One item for each row, at most 512 of them and 512 MB, none twice. Raises SourceInvalid.

    JSON: {"inputs": {"x": …}}, {"x": …}, or {"input": …} where there is one input. Arrays may be one row or have rows
    in front; .npz names the inputs, .npy is for models with one. Values are cast where they keep their meaning.
    """
    check(path, (".jsonl", ".parquet", ".zip"), _KIND.what)
    if path.suffix == ".zip":
        with path.open("rb") as file:
            found = (row for entry in entries(file, path.name, seed) for row in _of_entry(path, entry, signature))
            return choose(path, _KIND, found, seed)
    read = _json_rows if path.suffix == ".jsonl" else _column_rows
    return choose(path, _KIND, read(path, signature), seed)


def row_key(row: Row) -> str:
    """SHA-256 of a row's names, shapes and values."""
    digest = hashlib.sha256()
    for name, array in sorted(row.items()):
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(json.dumps(array.tolist()).encode() if array.dtype == np.object_ else array.tobytes())
    return digest.hexdigest()


def _row_bytes(row: Row) -> int:
    return sum(array.nbytes for array in row.values())


_KIND = Kind[Row]("tensors", MOST_ROWS, row_key, _row_bytes)


def _json_rows(path: Path, signature: Signature) -> Iterator[Row]:
    for number, entry in objects(path, _LINE_BYTES):
        values = entry.get("inputs")
        if not isinstance(values, dict):
            values = {signature.inputs[0].name: entry["input"]} if _is_single(signature, entry) else entry
        yield from _rows(path, f"line {number}", values, signature)


def _is_single(signature: Signature, entry: Mapping[str, Any]) -> bool:
    return len(signature.inputs) == 1 and "input" in entry


def _column_rows(path: Path, signature: Signature) -> Iterator[Row]:
    for number, values in enumerate(parquet_rows(path, [spec.name for spec in signature.inputs]), 1):
        yield from _rows(path, f"row {number}", values, signature)


def _of_entry(path: Path, entry: Entry, signature: Signature) -> Iterator[Row]:
    """The rows of one .npy or .npz in the zip."""
    kind = content_of(entry.content)
    if kind is Content.ARRAY:
        if len(signature.inputs) != 1:
            _refuse_entry(path, entry, "an .npy, and the model has several inputs", signature)
        values = {signature.inputs[0].name: _array(path, entry, signature)}
    elif kind is Content.ARCHIVE:
        inner = entries(io.BytesIO(entry.content), f"{path.name}: {entry.name}", 0, ENTRY_BYTES)
        values = {member.path.removesuffix(".npy"): _array(path, member, signature) for member in inner}
    else:
        _refuse_entry(path, entry, f"which is {kind}", signature)
    yield from _rows(path, repr(entry.name), values, signature)


def _array(path: Path, entry: Entry, signature: Signature) -> NDArray[Any]:
    if content_of(entry.content) is not Content.ARRAY:
        _refuse_entry(path, entry, f"which is {content_of(entry.content)}", signature)
    try:
        return read_array(entry.content)
    except ValueError:
        _refuse_entry(
            path, entry, "an array that is damaged or holds Python objects, which are never opened", signature
        )


def _rows(path: Path, where: str, values: Mapping[str, object], signature: Signature) -> Iterator[Row]:
    """The rows that the values of all inputs make together."""
    arrays: Row = {}
    for spec in signature.inputs:
        if spec.name not in values:
            refuse(path, f"has no input {spec.name!r} in {where}", _remedy(signature))
        try:
            arrays[spec.name] = as_rows(values[spec.name], spec)
        except ValueError as error:
            refuse(path, f"has an input {spec.name!r} in {where} that {error}", _remedy(signature))
    counts = {len(array) for array in arrays.values()}
    if len(counts) > 1:
        refuse(path, f"has inputs of different numbers of rows in {where}", _remedy(signature))
    for row in range(max(counts)):
        yield {name: array[row : row + 1].copy() for name, array in arrays.items()}


def _refuse_entry(path: Path, entry: Entry, why: str, signature: Signature) -> NoReturn:
    refuse(path, f"holds {entry.name!r}, {why}", _remedy(signature))


def _remedy(signature: Signature) -> str:
    return f"The model's inputs are {'; '.join(written(spec) for spec in signature.inputs)}."
