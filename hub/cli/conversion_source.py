"""The source of `conch convert` as the child is to see it: a directory of plain files, each a copy.

They are copied and not linked: whatever is saved over an original meanwhile, what is converted is what the
certificate's hashes name.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from converters.child import Limits, locate_external_data
from converters.errors import SourceInvalid
from registry.tracking import TrackingError, fetch, is_reference, tracking

CALIBRATION = "calibration."
"""How the name of a file begins that holds the owner's samples and is not of the model."""

_MODEL = "model.onnx"
_SUFFIXES = (".txt", ".jsonl", ".parquet", ".zip")
_MOST_FILES = 1000  # the child takes no more, and whoever names their home directory should not wait for its copy
_INSPECTION = Limits(seconds=60, memory_bytes=4 * 1024**3)

_TEXT = ("config.json", "tokenizer.json", "tokenizer_config.json", "modules.json", "sentence_bert_config.json")
_BESIDE = {
    "embedding": (*_TEXT, "1_Pooling/config.json"),
    "classification": ("config.min.json", "config.json"),
    "speech": ("config.json",),
}
"""What a model file of a task has beside it, where it is there; anything else in its directory is left alone."""
_INPUTS = "inputs.json"
_TORCHSCRIPT = (".pt", ".pth", ".ts", ".jit")


@dataclass(frozen=True)
class Source:
    """What the command line names: `path`, a file or a directory, or a model in MLflow where that is None."""

    named: str
    path: Path | None
    task: str
    calibration: Path | None
    mlflow_uri: str | None

    @property
    def name(self) -> str:
        """A short name of the model, for people."""
        if self.path is None:
            return self.named
        return self.path.stem if self.path.is_file() else self.path.resolve().name


@dataclass(frozen=True)
class Staged:
    """A source that lies in `directory`. `uri` is where MLflow has exactly this, None for files of this machine."""

    directory: Path
    uri: str | None


def find(named: str, task: str, calibration: Path | None, mlflow_uri: str | None, output: Path) -> Source:
    """The source that `named` means, before anything is written. Raises SourceInvalid.

    It may not lie in `output`, nor `output` in it: an attempt would be the source of the next. Nor may the calibration
    data lie in `output`, where an attempt takes away what the one before it left.
    """
    if calibration is not None:
        _check_calibration(calibration, output)
    path = Path(named)
    if not path.exists():
        if is_reference(named):
            return Source(named, None, task, calibration, mlflow_uri)
        raise SourceInvalid(
            f"There is no file or directory {named!r}.",
            "Name one, or a model in MLflow: models:/name/3, models:/name@alias, runs:/id/path.",
        )
    if not path.is_dir() and not path.is_file():
        raise SourceInvalid(f"{named!r} is no regular file.", "Name the model's file, or its directory.")
    here, there = path.resolve(), output.resolve()
    if there.is_relative_to(here) or here.is_relative_to(there):
        raise SourceInvalid(
            f"The output {str(output)!r} and the source {named!r} lie in each other.",
            "Name an output directory outside the source.",
        )
    return Source(named, path, task, calibration, mlflow_uri)


def stage(source: Source, scratch: Path) -> Staged:
    """Copy what `source` means into a directory below `scratch`.

    Of a directory, every file whose path has no segment that begins with a dot, as an upload takes them. Of a file,
    what its task reads beside it, and the external data that an ONNX file names. Raises SourceInvalid, also for a link
    that leads out; ConversionFailed where an ONNX file cannot be looked at; OSError.
    """
    directory, uri = scratch / "source", None
    if source.path is None:
        uri = _fetched(source, directory)
    elif source.path.is_dir():
        _copy_directory(source.path.resolve(), directory, leave_samples=source.calibration is not None)
    else:
        _copy_file(source.path, source.task, directory, scratch)
    if source.calibration is not None:
        _add_calibration(source.calibration, directory)
    return Staged(directory, uri)


def _check_calibration(calibration: Path, output: Path) -> None:
    if not (calibration.is_file() and calibration.suffix.lower() in _SUFFIXES):
        raise SourceInvalid(
            f"The calibration data {str(calibration)!r} is not in a format that is read.",
            f"Name a file that ends in {', '.join(_SUFFIXES)}.",
        )
    there = output.resolve()
    if any(place.is_relative_to(there) for place in (calibration.resolve(), calibration.parent.resolve())):
        raise SourceInvalid(
            f"The calibration data {str(calibration)!r} lies in the output {str(output)!r}.",
            "Name an output directory without it.",
        )


def _add_calibration(calibration: Path, directory: Path) -> None:
    target = directory / f"calibration{calibration.suffix.lower()}"
    if target.exists():  # external data of that name, or samples that lie in MLflow
        raise SourceInvalid(
            f"The source has a file {target.name!r} of its own, where the calibration data would lie.",
            "Give the calibration data in another format, or rename that file and save the model again.",
        )
    shutil.copyfile(calibration, target)


def _fetched(source: Source, directory: Path) -> str:
    try:
        return fetch(source.named, tracking(Path("data"), source.mlflow_uri).uri, directory).resolved
    except TrackingError as error:
        raise SourceInvalid(error.message, error.remedy) from error


def _copy_directory(root: Path, directory: Path, *, leave_samples: bool) -> None:
    paths = []
    for path in _walk(root):
        if not (leave_samples and path.parent == root and path.name.lower().startswith(CALIBRATION)):
            paths.append(path)
        if len(paths) > _MOST_FILES:
            raise SourceInvalid(f"The source has more than {_MOST_FILES} files.", "Name the model's own directory.")
    directory.mkdir()
    for path in paths:
        _copy(path, root, directory / path.relative_to(root))


def _walk(directory: Path) -> Iterator[Path]:
    """Everything below `directory` that is no directory, in order; no link to a directory is entered."""
    with os.scandir(directory) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path))
            else:
                yield Path(entry.path)


def _copy_file(path: Path, task: str, directory: Path, scratch: Path) -> None:
    """A graph is called model.onnx, whatever its name, so that it has the hash that it has in a hub."""
    directory.mkdir()
    suffix = path.suffix.lower()
    if suffix != ".onnx":
        shutil.copyfile(path, directory / path.with_suffix(suffix).name)
        beside = {_INPUTS: _INPUTS} if suffix in _TORCHSCRIPT else {}
    else:
        shutil.copyfile(path, directory / _MODEL)
        _copy_external_data(path, directory, scratch / "locate")
        beside = {f"{path.name}.json": f"{_MODEL}.json"} if task == "speech" else {}
    root = path.parent.resolve()
    for name, place in {**beside, **{name: name for name in _BESIDE.get(task, ())}}.items():
        if (root / name).exists():
            _copy(root / name, root, directory / place)


def _copy_external_data(path: Path, directory: Path, scratch: Path) -> None:
    """The child reads the names out of the file, and they are not trusted: they may only lead below its directory."""
    scratch.mkdir()
    root = path.parent.resolve()
    found = asyncio.run(locate_external_data(directory, scratch, _INSPECTION))
    for location in sorted({PurePosixPath(location) for location in found.locations}):
        if not location.parts or location.is_absolute() or ".." in location.parts or "\\" in str(location):
            raise SourceInvalid(
                f"{path.name} keeps weights outside its own directory.", "Save it again with onnx.save."
            )
        if not (root / location).exists() or (directory / location).exists():
            raise SourceInvalid(
                f"{path.name} keeps weights in {str(location)!r}, and that is not beside it, or is the model itself.",
                "Put the file where onnx.save wrote it, beside the model.",
            )
        _copy(root / location, root, directory / location)


def _copy(path: Path, root: Path, target: Path) -> None:
    """Copy a regular file. A link is followed where it stays within `root`, or within the blobs of its repository."""
    real = Path(os.path.realpath(path))
    if not any(real.is_relative_to(place) for place in (root, *_blobs(root))):
        raise SourceInvalid(
            f"{str(path.relative_to(root))!r} is a link that leads out of the source.", "Put the file itself there."
        )
    if not real.is_file():
        raise SourceInvalid(
            f"{str(path.relative_to(root))!r} is no regular file, or a link to none.", "Remove it, or put a file there."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(real, target)


def _blobs(root: Path) -> Iterator[Path]:
    """Where Hugging Face's cache keeps the files of a snapshot: `snapshots/<revision>/x` links to `blobs/<hash>`."""
    for place in (root, *root.parents):
        if place.parent.name == "snapshots":
            yield place.parent.parent / "blobs"
