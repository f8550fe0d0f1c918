"""Where a version's source comes from: files in the store, or MLflow, from where they get into the store first."""

from __future__ import annotations

from pathlib import Path

from converters.child import inspect_source
from converters.errors import SourceInvalid
from converters.request import Limits
from hub.artefacts import repository as artefacts
from hub.catalogue.registration import place_files
from hub.conversion import repository
from hub.conversion.tracking_process import TrackingProcess
from registry.database import Database
from registry.store import ArtefactStore
from registry.tables import FileRole, Version
from registry.tracking import TrackingError

_INSPECTION = Limits(seconds=60, memory_bytes=4 * 1024**3)


class Sources:
    """Lays the source of a version out. `tracking` is None where this Conch has no MLflow.

    MLflow is asked with the operator's credentials: unless it is `shared`, a tenant gets only what has its tag.
    """

    def __init__(
        self,
        database: Database,
        store: ArtefactStore,
        tracking: TrackingProcess | None,
        *,
        shared: bool,
        allow_pickle: bool,
    ) -> None:
        self._database = database
        self._store = store
        self._tracking = tracking
        self._shared = shared
        self._allow_pickle = allow_pickle

    async def place(self, version: Version, directory: Path) -> None:
        """Put the version's files into `directory`. Raises SourceInvalid, also for what MLflow does not give."""
        files = {file.path: file.sha256 for file in version.files if file.role is FileRole.SOURCE}
        if version.source_uri is None or files:
            await place_files(self._store, files, directory)
            return
        await self._fetch(version.source_uri, directory, None if self._shared else str(version.model.tenant_id))
        await inspect_source(directory, version.model.task, _INSPECTION, allow_pickle=self._allow_pickle)
        await self._keep(version, directory)

    async def _fetch(self, uri: str, directory: Path, tenant: str | None) -> None:
        if self._tracking is None:
            raise SourceInvalid("This Conch has no MLflow.", "Set MLFLOW_TRACKING_URI, or upload the model's files.")
        try:
            await self._tracking.fetch(uri, directory, tenant)
        except TrackingError as error:
            raise SourceInvalid(error.message, error.remedy) from error

    async def _keep(self, version: Version, directory: Path) -> None:
        """The version's source is from now on what was fetched, whatever becomes of it in MLflow."""
        paths = sorted(path for path in directory.rglob("*") if path.is_file())
        stored = [(str(path.relative_to(directory)), await self._store.put_file(path)) for path in paths]
        async with self._database.write() as session:
            for name, artefact in stored:
                await artefacts.record(session, version.model.tenant_id, artefact)
                await repository.add_file(session, version.id, FileRole.SOURCE, name, artefact.sha256)
