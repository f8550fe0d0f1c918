"""From a reference to the place of the model's files, with everything that moves resolved to what does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from registry.tracking.errors import SourceRefused, SourceUnknown
from registry.tracking.library import artifact_repository, is_server, looking_up, place
from registry.tracking.reference import AliasReference, LoggedReference, Reference, RunReference, VersionReference

MLMODEL = "MLmodel"

TENANT = "conch.tenant"
"""The tag by which an entry of MLflow belongs to a tenant: the tenant's id."""

_OBJECT_STORES = ("s3", "gs", "wasbs", "abfss")


@dataclass(frozen=True)
class Location:
    """Where a model's files are. `resolved` is the reference without an alias: it means the same files tomorrow."""

    uri: str
    resolved: str
    run_id: str | None


def locate(client: Any, tracking_uri: str, reference: Reference, tenant: str | None = None) -> Location:
    """The location of the model that `reference` means. Raises SourceUnknown and SourceRefused.

    Where a `tenant` is given, only what has the tag `conch.tenant` with it is there; of several tags the nearest to the
    model counts: a version's or logged model's own, then its registered model's, then that of the run that logged it.
    """
    location = _Search(client, tracking_uri, reference, tenant).location()
    _check_place(location.uri, tracking_uri)
    return location


@dataclass(frozen=True)
class _Search:
    client: Any
    tracking_uri: str
    reference: Reference
    tenant: str | None

    def location(self) -> Location:
        match self.reference:
            case VersionReference(name, number):
                with looking_up(self.tracking_uri, self._unknown()):
                    version = self.client.get_model_version(name, number)
                return self._of_version(version)
            case AliasReference(name, alias):
                with looking_up(self.tracking_uri, self._unknown()):
                    version = self.client.get_model_version_by_alias(name, alias)
                return self._of_version(version)
            case LoggedReference(model_id):
                with looking_up(self.tracking_uri, self._unknown()):
                    model = self.client.get_logged_model(model_id)
                return self._of_logged(model)
            case RunReference(run_id, path):
                with looking_up(self.tracking_uri, self._unknown()):
                    run = self.client.get_run(run_id)
                return self._of_run(run, path)

    def _of_version(self, version: Any) -> Location:
        if self.tenant is not None:
            with looking_up(self.tracking_uri, self._unknown()):
                registered = self.client.get_registered_model(version.name)
            self._check_owner(version.tags, registered.tags, run_id=version.run_id)
        if version.status != "READY":
            raise SourceRefused(
                f"Version {version.version} is not ready in MLflow: {version.status}.",
                "Register it again and try then.",
            )
        return Location(
            uri=self.client.get_model_version_download_uri(version.name, str(version.version)),
            resolved=f"models:/{version.name}/{version.version}",
            run_id=version.run_id or None,
        )

    def _of_logged(self, model: Any) -> Location:
        if self.tenant is not None:
            self._check_owner(model.tags, run_id=model.source_run_id)
        return Location(model.artifact_location, f"models:/{model.model_id}", model.source_run_id or None)

    def _of_run(self, run: Any, path: str) -> Location:
        """MLflow 2 wrote a model among the run's artefacts, MLflow 3 writes it beside them, as a logged model."""
        if self.tenant is not None:
            self._check_owner(run.data.tags)
        _check_place(run.info.artifact_uri, self.tracking_uri)
        listed = artifact_repository(run.info.artifact_uri, self.tracking_uri).list_artifacts(path)
        if f"{path}/{MLMODEL}" in {entry.path for entry in listed}:
            return Location(f"{run.info.artifact_uri}/{path}", f"runs:/{run.info.run_id}/{path}", run.info.run_id)
        logged = self.client.search_logged_models(
            experiment_ids=[run.info.experiment_id],
            filter_string=f"name = '{path}' AND source_run_id = '{run.info.run_id}'",
        )
        if not logged:
            raise SourceUnknown(
                f"The run has logged no model under {path!r}.",
                "Name the path that the model was logged under; MLflow shows it at the run.",
            )
        return self._of_logged(max(logged, key=lambda model: (model.creation_timestamp, model.model_id)))

    def _check_owner(self, *tags: Mapping[str, str], run_id: str | None = None) -> None:
        """Raise what is raised for an entry that is not there, unless the first tag there is names the tenant."""
        owner = next((tagged[TENANT] for tagged in tags if TENANT in tagged), None)
        if owner is None and run_id:
            with looking_up(self.tracking_uri, self._unknown()):
                owner = self.client.get_run(run_id).data.tags.get(TENANT)
        if owner != self.tenant:
            raise self._unknown()

    def _unknown(self) -> SourceUnknown:
        remedy = "Look up what it has in MLflow, and check MLFLOW_TRACKING_URI."
        if self.tenant is not None:  # the same for what another tenant has: nobody learns which it is
            remedy = (
                "Look up what it has in MLflow; of that you may use what has the tag "
                f"{TENANT} with your tenant's id, {self.tenant}."
            )
        return SourceUnknown(f"{place(self.tracking_uri)} has no {self.reference}.", remedy)


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
