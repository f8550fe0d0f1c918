"""A model in MLflow as a source for a conversion: its files, in a plain directory. Nothing is loaded or run."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from registry.tracking import mlmodel
from registry.tracking.artefacts import Artefacts, Limits, too_large
from registry.tracking.errors import SourceRefused
from registry.tracking.layout import arrange
from registry.tracking.library import tracking_client
from registry.tracking.locate import MLMODEL, locate
from registry.tracking.reference import parse


@dataclass(frozen=True)
class Fetched:
    """A source out of MLflow.

    `uri` is what was asked for, `resolved` the same without an alias: `models:/name/3`. `flavour` is MLflow's, `run_id`
    that of the training run where there is one. `source_sha256` is what the certificate will have as `lineage.source`.
    """

    directory: Path
    uri: str
    resolved: str
    run_id: str | None
    flavour: str
    source_sha256: str
    bytes: int


def fetch(
    uri: str, tracking_uri: str, target: Path, limits: Limits | None = None, *, tenant: str | None = None
) -> Fetched:
    """Write the files of the model that `uri` means into `target`, which must not exist yet or be empty.

    With a `tenant`, an id, only what MLflow has for that tenant is there: what has the tag `conch.tenant` with it.

    It blocks, for as long as the download takes. What is fetched is whole or not there at all. Raises `TrackingError`:
    SourceUnknown, SourceRefused, TrackingUnreachable, TrackingFailed, TrackingMissing.
    """
    reference = parse(uri)
    limits = limits or Limits()
    with tracking_client(tracking_uri) as client:
        location = locate(client, tracking_uri, reference, tenant)
        artefacts = Artefacts(location.uri, tracking_uri)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=target.parent) as scratch:
            flavour, total = _place(artefacts, limits, Path(scratch))
            (Path(scratch) / "source").rename(target)
    return Fetched(target, uri, location.resolved, location.run_id, flavour, _digest(target), total)


def _place(artefacts: Artefacts, limits: Limits, scratch: Path) -> tuple[str, int]:
    """Put the source into `source` below `scratch`; its flavour and bytes."""
    sizes = artefacts.listing(limits)
    if MLMODEL not in sizes:
        raise SourceRefused("There is no MLmodel among the artefacts.", "Name the directory that log_model wrote.")
    if sizes[MLMODEL] > mlmodel.BYTES:
        raise SourceRefused(f"MLmodel has more than {mlmodel.BYTES} bytes.", "Log the model again with MLflow.")
    download = scratch / "download"
    download.mkdir()
    flavour = mlmodel.read(artefacts.download(MLMODEL, download, mlmodel.BYTES))
    plan = arrange(flavour, sizes)
    if sum(sizes[path] for path in plan.values()) > limits.bytes:
        raise too_large(limits.bytes)
    left = limits.bytes
    for place, path in plan.items():
        file = artefacts.download(path, download, left)
        left -= file.stat().st_size
        (scratch / "source" / place).parent.mkdir(parents=True, exist_ok=True)
        file.rename(scratch / "source" / place)
    return flavour.name, limits.bytes - left


def _digest(directory: Path) -> str:
    """SHA-256 over a line for each file, `source/<path> <SHA-256>`, in order: as a certificate's lineage has it."""
    lines = []
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            lines.append((f"source/{path.relative_to(directory)}", sha256))
    return hashlib.sha256("".join(f"{path} {sha256}\n" for path, sha256 in sorted(lines)).encode()).hexdigest()
