"""Versions that were handed in, on a database, a store and an MLflow of the module's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from hub.artefacts import repository as artefacts
from hub.conversion import repository
from hub.conversion.tracking_process import TrackingProcess
from hub.jobs import queue
from registry.database import Database
from registry.store import LocalStore
from registry.tables import FileRole, Version, VersionFile
from registry.tracking import EXPERIMENT, Tracking, tracking
from registry.tracking.library import tracking_client
from tests.hub.versions import registered_version


@dataclass(frozen=True)
class HandedIn:
    """A version with its job in the queue."""

    tenant_id: UUID
    version_id: UUID
    job_id: UUID
    serving_name: str


HandIn = Callable[..., Awaitable[HandedIn]]


@pytest.fixture
async def database(scratch_url: str) -> AsyncIterator[Database]:
    database = Database(scratch_url, pool_size=4)
    yield database
    await database.close()


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    return tracking(tmp_path_factory.mktemp("mlflow"))


@pytest.fixture
async def tracking_process(mlflow: Tracking) -> AsyncIterator[TrackingProcess]:
    process = TrackingProcess(mlflow, fetch_seconds=120)
    yield process
    await process.close()


@pytest.fixture
def hand_in(database: Database, store: LocalStore, tmp_path: Path) -> HandIn:
    """A new version of a new model of a new tenant: of a file, or of what MLflow has at `source_uri`."""

    async def handed_in(source_uri: str | None = None) -> HandedIn:
        (tmp_path / "model.onnx").write_bytes(b"graph")
        stored = await store.put_file(tmp_path / "model.onnx")
        async with database.write() as session:
            tenant_id, version = await registered_version(session, source_uri)
            if source_uri is None:
                await artefacts.record(session, tenant_id, stored)
                source = VersionFile(
                    version_id=version.id, role=FileRole.SOURCE, path="model.onnx", sha256=stored.sha256
                )
                session.add(source)
            job = queue.enqueue(session, tenant_id, version.id)
            await session.flush()
            return HandedIn(tenant_id, version.id, job.id, version.serving_name)

    return handed_in


async def load(database: Database, version_id: UUID) -> Version:
    """The version as it is now."""
    async with database.read() as session:
        return await repository.load(session, version_id)


def runs(mlflow: Tracking, version_id: UUID | str) -> list[Any]:
    """The runs of a version's conversion."""
    with tracking_client(mlflow.uri) as client:
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:  # nothing has been recorded yet
            return []
        found: list[Any] = client.search_runs(
            [experiment.experiment_id], filter_string=f"tags.`conch.conversion_id` = '{version_id}'"
        )
    return found
