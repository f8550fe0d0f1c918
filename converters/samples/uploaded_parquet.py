"""Columns of a Parquet file that may be hostile: what its metadata claims is bounded before anything is decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.samples.uploaded import ROWS, refuse

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

_ROW_GROUPS = 10_000
_GROUP_BYTES = 1024**3  # decompressed, as the metadata has it; whatever lies there meets the memory limit of the child
_BUFFER_BYTES = 1024**2  # column chunks are then read page by page
_METADATA = {"thrift_string_size_limit": 16 * 1024**2, "thrift_container_size_limit": 1_000_000}
_SAVE_AGAIN = "Write it again with pandas or pyarrow, in row groups of some thousand rows."


def strings(path: Path, column: str, most_characters: int) -> Iterator[str]:
    """The strings in `column`, once for each thousand rows, nulls left out. Raises SourceInvalid.

    They are read as a dictionary: a column that repeats one long string a million times would else fill the memory,
    and take an hour.
    """
    kind = _open(path, (column,)).schema_arrow.field(column).type
    if not _is_string(kind):
        refuse(
            path, f"has no strings in its column {column!r}", f"Write the texts into a column {column!r} of strings."
        )
    import pyarrow.compute as pc

    for batch in _batches(path, _open(path, (column,), read_dictionary=[column]), (column,), 1024):
        values = batch.column(0)
        longest = pc.max(pc.binary_length(values.dictionary)).as_py() or 0
        if longest > 4 * most_characters:
            refuse(path, f"has a text of {longest:,} bytes", f"Upload texts of at most {most_characters:,} characters.")
        used = dict.fromkeys(index for index in values.indices.to_pylist() if index is not None)
        yield from (values.dictionary[index].as_py() for index in used)


def rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Each row's values, nested lists for lists. Raises SourceInvalid."""
    file = _open(path, columns)
    for batch in _batches(path, file, columns, 16):
        yield from batch.to_pylist()


def _open(path: Path, columns: Sequence[str], **options: Any) -> ParquetFile:
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetFile
    except ImportError:
        refuse(
            path,
            "cannot be read here, because pyarrow is not installed",
            "Upload the same rows as calibration.jsonl, or ask the operator to install pyarrow.",
        )
    try:
        file = ParquetFile(
            path, pre_buffer=False, buffer_size=_BUFFER_BYTES, arrow_extensions_enabled=False, **_METADATA, **options
        )
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        refuse(path, "is not a Parquet file", _SAVE_AGAIN)
    _check_metadata(path, file, columns)
    return file


def _check_metadata(path: Path, file: ParquetFile, columns: Sequence[str]) -> None:
    metadata = file.metadata
    if not 0 <= metadata.num_rows <= ROWS or metadata.num_row_groups > _ROW_GROUPS:
        refuse(path, f"claims more than {ROWS:,} rows or {_ROW_GROUPS:,} row groups", "Upload a sample of the rows.")
    missing = [name for name in columns if name not in file.schema_arrow.names]
    if missing:
        refuse(path, f"has no column {missing[0]!r}", f"Its columns must be {', '.join(columns)}.")
    groups = (metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups))
    if any(not 0 <= size <= _GROUP_BYTES for size in groups):
        refuse(path, f"has a row group of more than {_GROUP_BYTES // 1024**2} MB", _SAVE_AGAIN)


def _batches(path: Path, file: ParquetFile, columns: Sequence[str], size: int) -> Iterator[Any]:
    """Record batches of at most `size` rows, whose offsets, indices and UTF-8 hold: pyarrow itself trusts the file."""
    import pyarrow as pa

    try:
        for batch in file.iter_batches(batch_size=size, columns=list(columns), use_threads=False):
            batch.validate(full=True)
            yield batch
    except MemoryError:  # pyarrow's own is one and an ArrowException, too
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        refuse(path, "is damaged, or has texts that are not UTF-8", _SAVE_AGAIN)


def _is_string(kind: Any) -> bool:
    """Whether an Arrow type is of strings, or of a dictionary of them."""
    import pyarrow as pa

    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(plain) or pa.types.is_large_string(plain))
