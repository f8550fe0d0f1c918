"""A conversion of `conch convert` as a run in MLflow, where the command line or the environment names one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from converters.errors import ConversionFailed, SourceInvalid
from converters.invocation import LOG
from converters.lineage import combined, digests
from converters.request import ConversionRequest
from hub.cli.conversion_directory import ConversionDirectory
from hub.cli.conversion_source import Source, Staged
from registry.spec.certificate import Certificate
from registry.tracking import (
    ConversionFailure,
    TrackingFailed,
    TrackingMissing,
    end_of_log,
    record,
    record_of,
    tracking,
)


@dataclass(frozen=True)
class Run:
    """The run of one conversion in the MLflow at `uri`. Both ways of recording raise TrackingError."""

    uri: str
    directory: ConversionDirectory
    model: str
    source_uri: str
    request: ConversionRequest
    started_at: datetime

    def succeeded(self, certificate: Certificate) -> None:
        """Record a verdict, once the certificate has been written; that it says rejected is a success, too."""
        conversion = record_of(
            self.directory.path,
            LOG,
            certificate,
            conversion_id=self.directory.conversion_id,
            model=self.model,
            source_uri=self.source_uri,
            budget=self.request.budget,
            seed=self.request.seed,
        )
        record(conversion, tracking(Path("data"), self.uri))

    def failed(self, error: SourceInvalid | ConversionFailed) -> None:
        """Record a conversion that came to no verdict."""
        failure = ConversionFailure(
            conversion_id=self.directory.conversion_id,
            model=self.model,
            task=self.request.task,
            source_uri=self.source_uri,
            budget=self.request.budget,
            seed=self.request.seed,
            conch_version=installed("conch"),
            message=str(error),
            started_at=self.started_at,
            ended_at=datetime.now(UTC),
            logs=end_of_log(self.directory.path / LOG),
        )
        record(failure, tracking(Path("data"), self.uri))


def begin(
    uri: str | None, directory: ConversionDirectory, source: Source, staged: Staged, request: ConversionRequest
) -> Run | None:
    """The run of a conversion that begins now, None without an MLflow. Nothing is written to MLflow yet."""
    if uri is None:
        return None
    source_uri = staged.uri or f"sha256:{combined(digests('source', staged.directory))}"
    return Run(uri, directory, source.name, source_uri, request, datetime.now(UTC))


def check(uri: str | None) -> None:
    """Raise TrackingError where a run is asked for and could not be recorded after hours of conversion."""
    if uri is not None and find_spec("mlflow") is None:
        raise TrackingMissing(
            "The package mlflow is not installed, and --mlflow or MLFLOW_TRACKING_URI asks for a run in it.",
            'Install it: pip install "conch[mlflow]"; or unset the variable.',
        )
    if uri is not None and urlsplit(uri).scheme in ("", "file"):
        raise TrackingFailed(
            "MLflow does not write runs into a directory any more.",
            "Name a file as its database: sqlite:////path/to/mlflow.db.",
        )
