"""Reading the files of a source that may be hostile: plain files, bounded sizes, JSON objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from converters.errors import SourceInvalid

JSON_BYTES = 64 * 1024**2  # the largest tokenizer.json in use has 33 MB
_MOST_FILES = 1000
_CALIBRATION = {f"calibration.{suffix}" for suffix in ("txt", "jsonl", "parquet", "zip")}


def plain_files(directory: Path) -> list[Path]:
    """Every file below `directory`, sorted. Raises SourceInvalid for links, devices and too many files."""
    files: list[Path] = []
    for path in directory.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise SourceInvalid(f"{_shown(path.name)} is not a plain file.", "Upload the file itself, not a link.")
        if path.is_file():
            files.append(path)
        if len(files) > _MOST_FILES:
            raise SourceInvalid(f"The source has more than {_MOST_FILES} files.", "Upload only the model's own files.")
    if not files:
        raise SourceInvalid("The source has no files.", "Upload the model's files before you ask for a conversion.")
    return sorted(files)


def is_calibration(name: str) -> bool:
    """Whether a file of that name at the top of a source is the owner's calibration data, not of the model."""
    return name in _CALIBRATION


def read_object(path: Path, *, required: bool = True) -> dict[str, Any]:
    """The JSON object in `path`; {} where it is missing and not required. Raises SourceInvalid for anything else."""
    if not path.is_file():
        if not required:
            return {}
        raise SourceInvalid(f"{path.name} is missing.", f"Add the model's {path.name} to the upload.")
    if path.stat().st_size > JSON_BYTES:
        raise SourceInvalid(f"{path.name} has more than {JSON_BYTES} bytes.", f"Upload the model's own {path.name}.")
    return parse_object(path.read_bytes(), path.name)


def parse_object(data: bytes, name: str) -> dict[str, Any]:
    """The JSON object in `data`, which came from the file `name`. Raises SourceInvalid where there is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SourceInvalid(f"{name} does not hold valid JSON.", "Save the model again and upload it.") from error
    if not isinstance(value, dict):
        raise SourceInvalid(f"{name} does not hold a JSON object.", "Save the model again and upload it.")
    return value


def whole(value: object, low: int, high: int) -> int | None:
    """`value` where it is an integer in low…high, else None."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and low <= value <= high else None  # type: ignore[operator, return-value]


def _shown(name: str) -> str:
    return name if name.isprintable() and len(name) <= 100 else "A file of the source"
