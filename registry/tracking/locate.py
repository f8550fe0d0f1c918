"""From a reference to the place of the model's files, with everything that moves resolved to what does not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from registry.tracking.errors import SourceRefused, SourceUnknown
from registry.tracking.library import artifact_repository, is_server, looking_up, place
from registry.tracking.reference import AliasReference, LoggedReference, Reference, RunReference, VersionReference

MLMODEL = "MLmodel"

TENANT = "conch.tenant"
"""The tag by which an entry of MLflow belongs to a tenant: the tenant's id."""

_LOGGED_MODEL = re.compile(r"/models/(?P<model_id>m-[0-9a-zA-Z]{1,64})/artifacts(?:/|$)")
"""In an address, the logged model whose files lie there, as MLflow lays them out; it is asked whether that is so."""

_READ_OTHERWISE = frozenset("%?#\\")  # escapes, a query, a fragment, another separator

_OBJECT_STORES = ("s3", "gs", "wasbs", "abfss")


@dataclass(frozen=True)
class Location:
    """Where a model's files are. `resolved` is the reference without an alias: it means the same files tomorrow."""

    uri: str
    resolved: str
    run_id: str | None


def locate(client: Any, tracking_uri: str, reference: Reference, tenant: str | None = None) -> Location:
    """The location of the model that `reference` means. Raises SourceUnknown and SourceRefused.

    Where a `tenant` is given, only what has the tag `conch.tenant` with it is there: the logged model or the run that
    the files belong to. A version and its registered model are what anybody may point at anything, so their tags give
    nothing. A tag with another tenant takes the model away, wherever on the way to the files it is: at the version, the
    registered model, the run that they name, the logged model or its run.
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
        with looking_up(self.tracking_uri, self._unknown()):
            uri = self.client.get_model_version_download_uri(version.name, str(version.version))
            if self.tenant is not None:
                self._check_owner(self._files_tags(version, uri), passed=self._version_tags(version))
        if version.status != "READY":
            raise SourceRefused(
                f"Version {version.version} is not ready in MLflow: {version.status}.",
                "Register it again and try then.",
            )
        return Location(uri, f"models:/{version.name}/{version.version}", version.run_id or None)

    def _version_tags(self, version: Any) -> list[Mapping[str, str]]:
        registered = self.client.get_registered_model(version.name)
        return [version.tags, registered.tags, *self._run_tags(version.run_id)]

    def _files_tags(self, version: Any, uri: str) -> list[Mapping[str, str]]:
        """The tags of what the files of a version belong to: none where they lie in no logged model and no run of it.

        Whoever registers a version writes its address and its run as they like; only the two together say whose it is.
        """
        logged = _LOGGED_MODEL.search(uri)
        if logged is not None:
            model = self.client.get_logged_model(logged["model_id"])
            return self._logged_tags(model) if _lies_in(uri, model.artifact_location) else []
        if version.run_id:
            run = self.client.get_run(version.run_id)
            return [run.data.tags] if _lies_in(uri, run.info.artifact_uri) else []
        return []

    def _logged_tags(self, model: Any) -> list[Mapping[str, str]]:
        return [model.tags, *self._run_tags(model.source_run_id)]

    def _run_tags(self, run_id: str | None) -> list[Mapping[str, str]]:
        return [self.client.get_run(run_id).data.tags] if run_id else []

    def _of_logged(self, model: Any) -> Location:
        if self.tenant is not None:
            with looking_up(self.tracking_uri, self._unknown()):
                self._check_owner(self._logged_tags(model))
        return Location(model.artifact_location, f"models:/{model.model_id}", model.source_run_id or None)

    def _of_run(self, run: Any, path: str) -> Location:
        """MLflow 2 wrote a model among the run's artefacts, MLflow 3 writes it beside them, as a logged model."""
        if self.tenant is not None:
            self._check_owner([run.data.tags])
        _check_place(run.info.artifact_uri, self.tracking_uri)
        listed = artifact_repository(run.info.artifact_uri, self.tracking_uri).list_artifacts(path)
        if f"{path}/{MLMODEL}" in {entry.path for entry in listed}:
            uri = f"{run.info.artifact_uri}/{path}"
            if self.tenant is not None and not _lies_in(uri, run.info.artifact_uri):
                raise self._unknown()
            return Location(uri, f"runs:/{run.info.run_id}/{path}", run.info.run_id)
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

    def _check_owner(self, holding: list[Mapping[str, str]], passed: Iterable[Mapping[str, str]] = ()) -> None:
        """Raise what is raised for an entry that is not there, unless the files are the tenant's and nobody else's.

        `holding` are the tags of what the files belong to, one of which has to name the tenant, `passed` those of what
        led there. None of either may name another.
        """
        holders, all_named = _tenants(holding), _tenants([*holding, *passed])
        if self.tenant not in holders or all_named != {self.tenant}:
            raise self._unknown()

    def _unknown(self) -> SourceUnknown:
        remedy = "Look up what it has in MLflow, and check MLFLOW_TRACKING_URI."
        if self.tenant is not None:  # the same for what another tenant has: nobody learns which it is
            remedy = (
                "Look up what it has in MLflow; of that you may use what was logged with the tag "
                f"{TENANT} and your tenant's id, {self.tenant}, at the run or the logged model."
            )
        return SourceUnknown(f"{place(self.tracking_uri)} has no {self.reference}.", remedy)


def _tenants(tags: Iterable[Mapping[str, str]]) -> set[str]:
    return {tagged[TENANT] for tagged in tags if TENANT in tagged}


def _lies_in(uri: str, root: str) -> bool:
    """Whether `uri` is `root` or below it, in plain words: with nothing that is read as a way up or out."""
    inside = uri.removeprefix(root.rstrip("/")) if uri.startswith(root.rstrip("/")) else None
    if inside is None or not (inside == "" or inside.startswith("/")):
        return False
    return ".." not in inside.split("/") and not _READ_OTHERWISE.intersection(inside)


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
