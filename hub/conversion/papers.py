"""The certificate as a document: signed, as a page, in the store, and as a run in MLflow."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from converters.invocation import LOG
from converters.lineage import combined
from converters.report import ConversionReport
from hub.conversion.converted_files import ConvertedFile
from hub.conversion.tracking_process import TrackingProcess
from registry.certificates.files import JSON, PAGE, write
from registry.certificates.keys import load_or_create
from registry.certificates.signing import sign
from registry.tables import FileRole, Version
from registry.tracking import ConversionFailure, ConversionRecord, TrackingError, record_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Papers:
    """Writes what proves a conversion. `tracking` is None where conversions are not recorded in MLflow."""

    key: Ed25519PrivateKey
    tracking: TrackingProcess | None

    @classmethod
    def open(cls, key: Path, tracking: TrackingProcess | None) -> Papers:
        """With the key in the file `key`, which is made where it is not there."""
        return cls(load_or_create(key), tracking)

    def write(self, report: ConversionReport, directory: Path) -> list[ConvertedFile]:
        """Sign the certificate of `report` and write it into `directory`, for programs and for people.

        Raises CannotSign.
        """
        document = sign(report.certificate, self.key)
        write(document, directory)
        return [ConvertedFile(FileRole.CERTIFICATE, directory / name) for name in (JSON, PAGE)]

    async def record(self, version: Version, report: ConversionReport, directory: Path, seed: int) -> None:
        """Make the conversion a run in MLflow. That MLflow is away costs the run, not the version."""
        if self.tracking is not None:
            await self._keep(self.tracking, version, _record(version, report, directory, seed))

    async def record_failure(
        self, version: Version, started_at: datetime, message: str, output: str, seed: int
    ) -> None:
        """Make a conversion that broke a failed run in MLflow; `output` is the end of its log."""
        if self.tracking is not None:
            await self._keep(self.tracking, version, _failure(version, started_at, message, output, seed))

    async def _keep(
        self, tracking: TrackingProcess, version: Version, conversion: ConversionRecord | ConversionFailure
    ) -> None:
        try:
            await tracking.record(conversion)
        except TrackingError as error:
            log.warning("version %s is not recorded in MLflow: %s", version.id, error)


def _record(version: Version, report: ConversionReport, directory: Path, seed: int) -> ConversionRecord:
    return record_of(
        directory,
        LOG,
        report.certificate,
        conversion_id=str(version.id),
        model=version.model.name,
        source_uri=version.source_uri or f"sha256:{report.certificate.lineage.source}",
        budget=version.budget,
        seed=seed,
        tags=_tags(version),
    )


def _failure(version: Version, started_at: datetime, message: str, output: str, seed: int) -> ConversionFailure:
    source = {f"source/{file.path}": file.sha256 for file in version.files if file.role is FileRole.SOURCE}
    return ConversionFailure(
        conversion_id=str(version.id),
        model=version.model.name,
        task=version.model.task,
        source_uri=version.source_uri or f"sha256:{combined(source)}",
        budget=version.budget,
        seed=seed,
        conch_version=installed("conch"),
        message=message,
        started_at=started_at,
        ended_at=datetime.now(UTC),
        logs={LOG: output} if output else {},
        tags=_tags(version),
    )


def _tags(version: Version) -> dict[str, str]:
    return {"conch.version_number": str(version.number), "conch.serving_name": version.serving_name}
