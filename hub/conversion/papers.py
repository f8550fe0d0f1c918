"""The certificate as a document: signed, as a page, in the store, and as a run in MLflow."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from converters.report import ConversionReport
from hub.conversion.converted_files import ConvertedFile
from registry.certificates.keys import load_or_create
from registry.certificates.page import page
from registry.certificates.plots import accuracy_latency, layer_sensitivity
from registry.certificates.signing import sign
from registry.tables import FileRole, Version
from registry.tracking import ConversionRecord, Tracking, TrackingError, record

log = logging.getLogger(__name__)

JSON = "certificate.json"
PAGE = "certificate.html"
_LOG_BYTES = 256 * 1024  # the end of a conversion's log; the whole is in the store


@dataclass(frozen=True)
class Papers:
    """Writes what proves a conversion. `tracking` is None where conversions are not recorded in MLflow."""

    key: Ed25519PrivateKey
    tracking: Tracking | None

    @classmethod
    def open(cls, key: Path, tracking: Tracking | None) -> Papers:
        """With the key in the file `key`, which is made where it is not there."""
        return cls(load_or_create(key), tracking)

    def write(self, report: ConversionReport, directory: Path) -> list[ConvertedFile]:
        """Sign the certificate of `report` and write it into `directory`, for programs and for people."""
        document = sign(report.certificate, self.key)
        (directory / JSON).write_text(document.json(), encoding="utf-8")
        (directory / PAGE).write_text(page(document), encoding="utf-8")
        return [ConvertedFile(FileRole.CERTIFICATE, directory / name) for name in (JSON, PAGE)]

    async def record(self, version: Version, report: ConversionReport, directory: Path, seed: int) -> None:
        """Make the conversion a run in MLflow. That MLflow is away costs the run, not the version."""
        if self.tracking is None:
            return
        try:
            await asyncio.to_thread(record, _record(version, report, directory, seed), self.tracking)
        except TrackingError as error:
            log.warning("version %s is not recorded in MLflow: %s", version.id, error)


def _record(version: Version, report: ConversionReport, directory: Path, seed: int) -> ConversionRecord:
    certificate = report.certificate
    return ConversionRecord(
        conversion_id=str(version.id),
        model=version.model.name,
        certificate=certificate,
        signed_certificate=(directory / JSON).read_bytes(),
        source_uri=version.source_uri or f"sha256:{certificate.lineage.source}",
        budget=version.budget,
        seed=seed,
        conch_version=installed("conch"),
        page=(directory / PAGE).read_text(encoding="utf-8"),
        plots={
            "accuracy-latency.svg": accuracy_latency(certificate.curve),
            "layers.svg": layer_sensitivity(certificate.layers),
        },
        logs={"conversion.log": _tail(directory / "conversion.log")},
        tags={"conch.version_number": str(version.number), "conch.serving_name": version.serving_name},
    )


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LOG_BYTES))
        return file.read().decode("utf-8", "replace")
