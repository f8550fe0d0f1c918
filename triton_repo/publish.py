"""Put a model into Triton's repository, whole or not at all, and never touch one that is there.

A model is staged beside the repository, made durable, and renamed in: Triton, told to load it, finds all of it or
nothing, whenever the publisher was killed. The layout is `<name>/config.pbtxt` and `<name>/1/`, where `1` holds the
model's files and the code that serves them (`bundle`).
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from triton_repo import config as model_config
from triton_repo.bundle import runtime_hash, write_code
from triton_repo.config import ModelConfig
from triton_repo.errors import AlreadyPublished, Unpublishable
from triton_repo.staging import make_durable, remove_staged, staged, sync

__all__ = ["clean_staging", "publish", "runtime_hash", "withdraw"]

_NAME = re.compile(r"[a-z0-9_-]{1,128}")
_DATA_SUFFIXES = frozenset({".onnx", ".data", ".json", ".plan"})  # nothing Python would import


def publish(repository: Path, model_directory: Path, config: ModelConfig) -> None:
    """Publish the files of `model_directory` as the model `config.name`; afterwards Triton can be told to load it.

    Raises AlreadyPublished for a name that is taken, and Unpublishable for a bad name, for a file in the directory that
    is not plain model data, and for a repository whose parent is on another file system.
    """
    target = _place(repository, config.name)
    sources = _model_files(model_directory)
    if target.exists():
        raise AlreadyPublished(f"{config.name} is already in the repository")
    with staged(repository, config.name) as stage:
        version = stage / "1"
        version.mkdir()
        for source in sources:
            # A copy and not a hard link: a link made later would change the ctime that Triton takes for a modification.
            shutil.copyfile(source, version / source.name)
        write_code(version)
        (stage / "config.pbtxt").write_text(model_config.render(config), encoding="utf-8")
        make_durable(stage)
        try:
            stage.rename(target)
        except OSError as error:  # a non-empty directory is never replaced by a rename: somebody was first
            if target.exists():
                raise AlreadyPublished(f"{config.name} is already in the repository") from error
            raise
        sync(repository)


def withdraw(repository: Path, name: str) -> None:
    """Take the model `name` out of the repository; nothing happens where it is not there. Unload it first."""
    target = _place(repository, name)
    with staged(repository, name) as stage:
        try:
            target.rename(stage / name)
        except FileNotFoundError:
            return
        sync(repository)


def clean_staging(repository: Path) -> None:
    """Remove what killed publishes and withdrawals left beside the repository; running ones are left alone."""
    remove_staged(repository)


def _place(repository: Path, name: str) -> Path:
    if _NAME.fullmatch(name) is None:
        raise Unpublishable(f"{name!r} cannot name a directory of the repository", "Use a-z, 0-9, _ and - only.")
    return repository / name


def _model_files(directory: Path) -> list[Path]:
    files = sorted(directory.iterdir())
    for file in files:
        if file.is_symlink() or not file.is_file() or file.suffix not in _DATA_SUFFIXES:
            raise Unpublishable(
                f"{file.name!r} may not be published: only regular {', '.join(sorted(_DATA_SUFFIXES))} files",
                "Remove it from the model directory.",
            )
    if not any(file.name == "runtime.json" for file in files):
        raise Unpublishable("the model directory has no runtime.json", "Publish what a conversion wrote.")
    return files
