"""A conversion of `conch convert` as a run in MLflow, where the command line or the environment names one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed
from importlib.util import find_spec
from pathlib import Path

from converters.errors import ConversionFailed, SourceInvalid
from converters.invocation import LOG
from converters.lineage import combined, digests
from converters.request import ConversionRequest
from hub.cli.conversion_directory import JSON, PAGE, ConversionDirectory
from hub.cli.conversion_source import Source, Staged
from registry.certificates.plots import accuracy_latency, layer_sensitivity
from registry.spec.certificate import Certificate
from registry.tracking import ConversionFailure, ConversionRecord, TrackingMissing, record, tracking

_LOG_BYTES = 256 * 1024  # the end of the log; the whole is in the output


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
        conversion = ConversionRecord(
            conversion_id=self.directory.conversion_id,
            model=self.model,
            certificate=certificate,
            signed_certificate=(self.directory.path / JSON).read_bytes(),
            source_uri=self.source_uri,
            budget=self.request.budget,
            seed=self.request.seed,
            conch_version=installed("conch"),
            page=(self.directory.path / PAGE).read_text(encoding="utf-8"),
            plots={
                "accuracy-latency.svg": accuracy_latency(certificate.curve),
                "layers.svg": layer_sensitivity(certificate.layers),
            },
            logs=self._logs(),
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
            logs=self._logs(),
        )
        record(failure, tracking(Path("data"), self.uri))

    def _logs(self) -> Mapping[str, str]:
        path = self.directory.path / LOG
        if not path.exists():
            return {}
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_BYTES))
            return {LOG: file.read().decode("utf-8", "replace")}


def begin(
    uri: str | None, directory: ConversionDirectory, source: Source, staged: Staged, request: ConversionRequest
) -> Run | None:
    """The run of a conversion that begins now, None without an MLflow. Nothing is written to MLflow yet."""
    if uri is None:
        return None
    source_uri = staged.uri or f"sha256:{combined(digests('source', staged.directory))}"
    return Run(uri, directory, source.name, source_uri, request, datetime.now(UTC))


def check_installed(uri: str | None) -> None:
    """Raise TrackingMissing where a run is asked for and could not be recorded after hours of conversion."""
    if uri is not None and find_spec("mlflow") is None:
        raise TrackingMissing(
            "The package mlflow is not installed, and --mlflow or MLFLOW_TRACKING_URI asks for a run in it.",
            'Install it: pip install "conch[mlflow]"; or unset the variable.',
        )
