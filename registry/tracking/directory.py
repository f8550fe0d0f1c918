"""The record of a conversion out of the directory that it was made in."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version as installed
from pathlib import Path

from registry.certificates.files import JSON, PAGE, plots
from registry.spec.certificate import Certificate
from registry.tracking.conversion import ConversionRecord

LOG_BYTES = 256 * 1024
"""Of a conversion's log its end is recorded; the whole is kept with what was made."""


def record_of(
    directory: Path,
    log: str,
    certificate: Certificate,
    *,
    conversion_id: str,
    model: str,
    source_uri: str,
    budget: Mapping[str, float],
    seed: int,
    tags: Mapping[str, str] | None = None,
) -> ConversionRecord:
    """The record of a conversion whose `certificate` was written into `directory`, where its file `log` lies, too.

    The rest is as in `ConversionRecord`. Raises OSError.
    """
    return ConversionRecord(
        conversion_id=conversion_id,
        model=model,
        certificate=certificate,
        signed_certificate=(directory / JSON).read_bytes(),
        source_uri=source_uri,
        budget=budget,
        seed=seed,
        conch_version=installed("conch"),
        page=(directory / PAGE).read_text(encoding="utf-8"),
        plots=plots(certificate),
        logs=end_of_log(directory / log),
        tags=tags or {},
    )


def end_of_log(path: Path) -> dict[str, str]:
    """The end of the log at `path` by its name; nothing where the conversion came to none."""
    if not path.exists():
        return {}
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_BYTES))
        return {path.name: file.read().decode("utf-8", "replace")}
