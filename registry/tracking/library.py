"""The package mlflow: imported late, kept quiet, and its errors in our words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn
from urllib.parse import urlsplit

from registry.tracking.errors import SourceUnknown, TrackingFailed, TrackingMissing, TrackingUnreachable

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # it reports to its maker by default, and leaves an id in the home directory
    "MLFLOW_CONFIGURE_LOGGING": "false",  # it would put a handler of its own beside the process's
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # by default 7: a server that is down was reported after 247 s, now after 3
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
}
"""What MLflow can only be told through the environment, some of it before its import. What is set already stays."""

_TEMPORARY = ("TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED")
_UNAUTHORIZED = ("PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED")


def is_server(tracking_uri: str) -> bool:
    """Whether `tracking_uri` is a server's, which keeps the artefacts, and not a database or directory."""
    return urlsplit(tracking_uri).scheme in ("http", "https")


@contextmanager
def tracking_client(tracking_uri: str) -> Iterator[Any]:
    """A `mlflow.MlflowClient` of `tracking_uri`; what goes wrong inside comes out as a `TrackingError`.

    MLflow's own global tracking URI is neither read nor set: with it a `mlflow.db` would appear in the directory the
    process happens to be in. The first call of a process imports mlflow, which takes 3 s.
    """
    _load()
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
    except MlflowException as error:
        _explain(error, tracking_uri)
    except (RequestException, SQLAlchemyError) as error:
        raise _unreachable(tracking_uri) from error
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    except OSError as error:
        raise TrackingFailed(
            f"A file could not be read or written: {error.strerror or 'the system does not say why'}.",
            "Check the space and the permissions of the data directory, then try again.",
        ) from error


@contextmanager
def looking_up(tracking_uri: str, unknown: SourceUnknown) -> Iterator[None]:
    """Inside, that MLflow does not know what it is asked for comes out as `unknown`."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if not _says_unknown(error, tracking_uri):
            raise
        raise unknown from error


def artifact_repository(artifact_uri: str, tracking_uri: str) -> Any:
    """MLflow's `ArtifactRepository` of a location. Only to be called inside `tracking_client`."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(artifact_uri, tracking_uri=tracking_uri, registry_uri=tracking_uri)


def _load() -> None:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)  # noqa: TID251 - the one place: MLflow has no other way to be told
    try:
        from mlflow.telemetry import set_telemetry_client
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    set_telemetry_client()  # somebody may have imported mlflow before us: this ends its reports, too


def _missing(error: ModuleNotFoundError) -> TrackingMissing:
    return TrackingMissing(
        f"The package {error.name} is not installed, and MLflow needs it.",
        'Install it: pip install "conch[mlflow]"; for files in S3 boto3, in GCS google-cloud-storage, in Azure '
        "azure-storage-blob.",
    )


def _says_unknown(error: Any, tracking_uri: str) -> bool:
    """Whether MLflow itself says so: a server that is no MLflow answers 404 as well, but not with its errors."""
    from mlflow.exceptions import RestException

    if is_server(tracking_uri) and not isinstance(error, RestException):
        return False
    missing_alias = error.error_code == "INVALID_PARAMETER_VALUE" and "not found" in str(error)
    return missing_alias or error.error_code == "RESOURCE_DOES_NOT_EXIST"


def _explain(error: Any, tracking_uri: str) -> NoReturn:
    """Raise our error for a `MlflowException`."""
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    code = error.error_code
    if isinstance(error.__context__, (RequestException, SQLAlchemyError)) or code in _TEMPORARY:
        raise _unreachable(tracking_uri) from error
    if code in _UNAUTHORIZED:
        raise TrackingFailed(
            f"{place(tracking_uri)} refuses the credentials.",
            "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.",
        ) from error
    raise TrackingFailed(
        f"{place(tracking_uri)} did not do what it was asked: {code}.",
        "Check that MLFLOW_TRACKING_URI is the address of MLflow itself, of version 2 or 3, and look into its log.",
    ) from error


def _unreachable(tracking_uri: str) -> TrackingUnreachable:
    return TrackingUnreachable(
        f"{place(tracking_uri)} does not answer.", "Start it, or correct MLFLOW_TRACKING_URI, and try again."
    )


def place(tracking_uri: str) -> str:
    """Where MLflow is, without the credentials or the path that may be in `tracking_uri`."""
    parts = urlsplit(tracking_uri)
    if not is_server(tracking_uri):
        return "The local MLflow store" if parts.scheme in ("sqlite", "file", "") else "MLflow's database"
    host = parts.hostname or ""
    return f"The MLflow server at {host}:{parts.port}" if parts.port else f"The MLflow server at {host}"
