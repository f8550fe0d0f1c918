"""From a certified version to one that is served: publish, load, warm, probe, and only then traffic."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from hub.catalogue.registration import place_files
from hub.catalogue.routes import has_route, set_route
from hub.conversion import repository
from hub.serving.pool import TritonPool
from hub.settings import TritonSettings
from registry.database import Database, WriteSession
from registry.spec.names import DEFAULT_ALIAS
from registry.spec.signature import Signature
from registry.store import ArtefactStore
from registry.tables import FileRole, Version, VersionState
from triton_repo.config import ModelConfig
from triton_repo.errors import AlreadyPublished
from triton_repo.probe import probe
from triton_repo.publish import publish

PROBE_TOLERANCE = 2e-2
"""How far an element of a probe's answer may be from the certified one: batches of another size round differently."""

_FULL_WEIGHT = 100


class Publication:
    """Publishes certified versions into the repository of the Triton servers."""

    def __init__(self, settings: TritonSettings, database: Database, store: ArtefactStore, pool: TritonPool) -> None:
        self._settings = settings
        self._database = database
        self._store = store
        self._pool = pool

    async def serve(self, version: Version, work: Path) -> None:
        """Bring a certified version onto every server and try it there. Raises what Triton or the probe says.

        May be repeated: what a killed attempt has published already is whole, and is used.
        """
        served, probe_directory = work / "served", work / "probe"
        await place_files(self._store, _files(version, FileRole.SERVED), served)
        await place_files(self._store, _files(version, FileRole.PROBE), probe_directory)
        with suppress(AlreadyPublished):
            await asyncio.to_thread(publish, self._settings.model_repository, served, self._config(version))
        for server in self._pool.servers:
            await server.control.load(version.serving_name)
            await probe(server.control, version.serving_name, probe_directory / "probe.json", PROBE_TOLERANCE)

    def _config(self, version: Version) -> ModelConfig:
        assert version.signature is not None, "a certified version has a signature"
        assert version.max_batch is not None, "a certified version has a batch size"
        instances = self._settings.runtime_instances
        threads = self._settings.runtime_threads or max(1, len(os.sched_getaffinity(0)) // instances)
        return ModelConfig(
            name=version.serving_name,
            signature=Signature.from_json(version.signature),
            max_batch=version.max_batch,
            max_queue_delay_us=self._settings.max_queue_delay_us,
            instances=instances,
            parameters={"threads": str(threads)},
        )


async def make_live(session: WriteSession, version: Version) -> None:
    """Mark a version published; the first of its model takes all traffic, later ones wait for a release."""
    await repository.set_state(session, version.id, VersionState.PUBLISHED)
    if not await has_route(session, version.model_id, DEFAULT_ALIAS):
        await set_route(session, version.model_id, DEFAULT_ALIAS, {version.id: _FULL_WEIGHT}, "conch", "first version")


def _files(version: Version, role: FileRole) -> dict[str, str]:
    return {file.path: file.sha256 for file in version.files if file.role is role}
