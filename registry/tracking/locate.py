"""From a reference to the place of the model's files, with everything that moves resolved to what does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from registry.tracking.errors import SourceRefused, SourceUnknown
from registry.tracking.library import artifact_repository, is_server, looking_up
from registry.tracking.reference import AliasReference, LoggedReference, Reference, RunReference, VersionReference

MLMODEL = "MLmodel"

_OBJECT_STORES = ("s3", "gs", "wasbs", "abfss")


@dataclass(frozen=True)
class Location:
    """Where a model's files are. `resolved` is the reference without an alias: it means the same files tomorrow."""

    uri: str
    resolved: str
    run_id: str | None


def locate(client: Any, tracking_uri: str, reference: Reference) -> Location:
    """The location of the model that `reference` means. Raises SourceUnknown and SourceRefused."""
    location = _look_up(client, tracking_uri, reference)
    _check_place(location.uri, tracking_uri)
    return location


def _look_up(client: Any, tracking_uri: str, reference: Reference) -> Location:
    match reference:
        case VersionReference(name, number):
            with looking_up(f"version {number} of a model {name!r}", tracking_uri):
                return _of_version(client, client.get_model_version(name, number))
        case AliasReference(name, alias):
            with looking_up(f"model {name!r} with the alias {alias!r}", tracking_uri):
                return _of_version(client, client.get_model_version_by_alias(name, alias))
        case LoggedReference(model_id):
            with looking_up(f"logged model {model_id}", tracking_uri):
                return _of_logged(client.get_logged_model(model_id))
        case RunReference(run_id, path):
            with looking_up(f"run {run_id}", tracking_uri):
                run = client.get_run(run_id)
            return _of_run(client, tracking_uri, run.info, path)


def _of_version(client: Any, version: Any) -> Location:
    if version.status != "READY":
        raise SourceRefused(
            f"Version {version.version} is not ready in MLflow: {version.status}.", "Register it again and try then."
        )
    return Location(
        uri=client.get_model_version_download_uri(version.name, str(version.version)),
        resolved=f"models:/{version.name}/{version.version}",
        run_id=version.run_id or None,
    )


def _of_logged(model: Any) -> Location:
    return Location(model.artifact_location, f"models:/{model.model_id}", model.source_run_id or None)


def _of_run(client: Any, tracking_uri: str, run: Any, path: str) -> Location:
    """MLflow 2 wrote a model among the run's artefacts, MLflow 3 writes it beside them, as a logged model."""
    _check_place(run.artifact_uri, tracking_uri)
    listed = artifact_repository(run.artifact_uri, tracking_uri).list_artifacts(path)
    if f"{path}/{MLMODEL}" in {entry.path for entry in listed}:
        return Location(f"{run.artifact_uri}/{path}", f"runs:/{run.run_id}/{path}", run.run_id)
    logged = client.search_logged_models(
        experiment_ids=[run.experiment_id], filter_string=f"name = '{path}' AND source_run_id = '{run.run_id}'"
    )
    if not logged:
        raise SourceUnknown(
            f"The run has logged no model under {path!r}.",
            "Name the path that the model was logged under; MLflow shows it at the run.",
        )
    return _of_logged(max(logged, key=lambda model: (model.creation_timestamp, model.model_id)))


def _check_place(uri: str, tracking_uri: str) -> None:
    """Refuse a place that only whoever wrote the entry into MLflow would like us to read: our own disk, any address."""
    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):
        allowed = not is_server(tracking_uri)
    elif parts.scheme == "mlflow-artifacts":
        allowed = parts.netloc in ("", urlsplit(tracking_uri).netloc)
    else:
        allowed = parts.scheme in _OBJECT_STORES
    if not allowed:
        raise SourceRefused(
            "The model's files are not where Conch reads from: on the MLflow server or in S3, GCS or Azure.",
            "Start the server with --serve-artifacts and --artifacts-destination, and log the model again.",
        )
