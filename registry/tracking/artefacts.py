"""The files of a model in MLflow: listed and fetched one by one, within limits, and never through a link."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from registry.tracking.errors import SourceRefused, shown
from registry.tracking.library import artifact_repository

_DEEPEST = 20


@dataclass(frozen=True)
class Limits:
    """What is fetched at most: files in a model, bytes of those that a conversion needs."""

    files: int = 1000
    bytes: int = 20 * 1024**3


class Artefacts:
    """The files at a location. Only to be used inside `tracking_client`."""

    def __init__(self, uri: str, tracking_uri: str) -> None:
        self._repository = artifact_repository(uri, tracking_uri)
        directory = getattr(self._repository, "artifact_dir", None)  # of a store on this machine only
        self._directory = Path(directory) if directory is not None else None

    def listing(self, limits: Limits) -> dict[str, int]:
        """Bytes of every file by its path, as MLflow tells them. Raises SourceRefused."""
        found: dict[str, int] = {}
        waiting: list[str | None] = [None]
        entries = 0
        while waiting:
            for entry in self._repository.list_artifacts(waiting.pop()):
                entries += 1
                if entries > limits.files:
                    raise SourceRefused(
                        f"The model has more than {limits.files} files.", "Log only the model's own files."
                    )
                self._check_path(entry.path)
                if entry.is_dir:
                    waiting.append(entry.path)
                else:
                    found[entry.path] = entry.file_size or 0
        return found

    def download(self, path: str, directory: Path, most_bytes: int) -> Path:
        """Fetch one file of the listing to `path` below `directory`."""
        file = Path(self._repository.download_artifacts(path, str(directory)))
        if file.is_symlink() or not file.is_file():
            raise _unsound(path)
        if file.stat().st_size > most_bytes:
            raise too_large(most_bytes)
        return file

    def _check_path(self, path: str) -> None:
        parts = PurePosixPath(path).parts
        outside = not parts or path.startswith("/") or ".." in parts or "\\" in path or len(parts) > _DEEPEST
        if outside or not path.isprintable() or max(map(len, parts)) > 255:
            raise _unsound(path)
        if self._directory is not None and (self._directory / path).is_symlink():
            raise _unsound(path)


def too_large(most_bytes: int) -> SourceRefused:
    """The error of a model with more bytes than are fetched."""
    return SourceRefused(
        f"The model's files have more than {most_bytes} bytes.", "Log a smaller model, without its checkpoints."
    )


def _unsound(path: str) -> SourceRefused:
    return SourceRefused(
        f"The artefact {shown(path)} is a link, or its path leads out of the model.", "Log the model again with MLflow."
    )
