"""Versions whose source is in MLflow: converted from there, and only for those whose model it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from converters.errors import SourceInvalid
from hub.client import Conch, JobEnd
from hub.conversion.sources import Sources
from hub.conversion.tracking_process import TrackingProcess
from registry.database import Database
from registry.store import LocalStore
from registry.tables import FileRole
from registry.tracking import Tracking, tracking
from registry.tracking.library import tracking_client
from registry.tracking.locate import TENANT
from tests.hub.conversion.conftest import HandIn, load, runs
from tests.hub.stack import Stack, write_tiny

_MLMODEL = "flavors: {onnx: {data: model.onnx, code: null}}"


def _register(mlflow: Tracking, name: str, directory: Path) -> str:
    """Register the model `tiny` in MLflow under a name, as its version 1."""
    write_tiny(directory)
    (directory / "MLmodel").write_text(_MLMODEL, encoding="utf-8")
    with tracking_client(mlflow.uri) as client:
        client.create_registered_model(name)
        client.create_model_version(name, directory.as_uri())
        client.set_registered_model_alias(name, "best", "1")
    return f"models:/{name}@best"


def _register_from_run(mlflow: Tracking, name: str, directory: Path, tenant: str) -> None:
    """The same out of a run that has the tag of a tenant, as MLflow lets it be registered."""
    write_tiny(directory)
    (directory / "MLmodel").write_text(_MLMODEL, encoding="utf-8")
    with tracking_client(mlflow.uri) as client:
        experiment = client.create_experiment(name, artifact_location=(directory.parent / "runs").as_uri())
        run = client.create_run(experiment, tags={TENANT: tenant})
        client.log_artifacts(run.info.run_id, str(directory), "model")
        client.create_registered_model(name)
        client.create_model_version(name, f"{run.info.artifact_uri}/model", run_id=run.info.run_id)
        client.set_registered_model_alias(name, "best", "1")


def test_a_model_in_the_embedded_mlflow_is_converted_and_served(stack: Stack, tmp_path: Path) -> None:
    uri = _register(tracking(stack.data), "modèle", tmp_path / "model")
    with stack.client(stack.demo_key) as client, Conch(stack.url, stack.demo_key) as conch:
        conch.register_model("from-mlflow", "tensor", {"requests": 1})
        created = client.post("/v1/models/from-mlflow/versions", json={"source_uri": uri, "precision": "float32"})
        assert created.status_code == 202, created.text
        *_, end = conch.watch_job(created.json()["job_id"])
        version = client.get("/v1/models/from-mlflow/versions/1").json()
    assert isinstance(end, JobEnd)
    assert end.outcome == "published", end
    assert set(version["files"]) == {"model.onnx"}
    [run] = runs(tracking(stack.data), version["id"])
    assert run.data.tags["conch.source_uri"] == uri


async def test_an_mlflow_that_others_use_gives_a_tenant_only_what_has_its_tag(
    database: Database,
    store: LocalStore,
    mlflow: Tracking,
    tracking_process: TrackingProcess,
    hand_in: HandIn,
    tmp_path: Path,
) -> None:
    sources = Sources(database, store, tracking_process, shared=False, allow_pickle=False)
    uri = "models:/ours@best"
    owner, stranger = await hand_in(uri), await hand_in(uri)
    _register_from_run(mlflow, "ours", tmp_path / "model", str(owner.tenant_id))

    with pytest.raises(SourceInvalid) as refused:
        await sources.place(await load(database, stranger.version_id), tmp_path / "theirs")
    assert refused.value.message == "The local MLflow store has no model 'ours' with the alias 'best'."
    assert TENANT in refused.value.remedy
    assert str(stranger.tenant_id) in refused.value.remedy
    assert not (tmp_path / "theirs").exists()

    await sources.place(await load(database, owner.version_id), tmp_path / "mine")
    kept = await load(database, owner.version_id)
    assert [(file.role, file.path) for file in kept.files] == [(FileRole.SOURCE, "model.onnx")]


async def test_an_mlflow_that_is_open_to_all_gives_everybody_everything(
    database: Database,
    store: LocalStore,
    mlflow: Tracking,
    tracking_process: TrackingProcess,
    hand_in: HandIn,
    tmp_path: Path,
) -> None:
    uri = _register(mlflow, "open", tmp_path / "model")
    sources = Sources(database, store, tracking_process, shared=True, allow_pickle=False)
    given = await hand_in(uri)
    await sources.place(await load(database, given.version_id), tmp_path / "source")
    assert (tmp_path / "source" / "model.onnx").is_file()
