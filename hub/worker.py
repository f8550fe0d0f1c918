"""`conch worker`: conversions in one process."""

from __future__ import annotations

import asyncio
import signal

from hub.conversion.conversion import Conversion
from hub.conversion.papers import Papers
from hub.conversion.publication import Publication
from hub.conversion.sources import Sources
from hub.conversion.tracking_process import TrackingProcess
from hub.conversion.worker import Worker
from hub.logging import configure
from hub.serving.pool import TritonPool
from hub.settings import (
    DatabaseSettings,
    JobSettings,
    LogSettings,
    MlflowSettings,
    SourceSettings,
    StoreSettings,
    TritonSettings,
)
from registry.database import Database
from registry.store import LocalStore
from registry.tracking import tracking


def run() -> None:
    """Work until the process is told to stop. Settings come from the environment (`docs/configuration.md`)."""
    configure(LogSettings())
    asyncio.run(_run())


async def _run() -> None:
    store_settings, triton_settings, jobs = StoreSettings(), TritonSettings(), JobSettings()
    settings = DatabaseSettings()
    database = Database(settings.database_url.get_secret_value(), settings.database_pool)
    key = triton_settings.triton_key
    pool = TritonPool(triton_settings.triton_urls, key.get_secret_value() if key else None)
    store = LocalStore(store_settings.artefact_store)
    publication = Publication(triton_settings, database, store, pool)
    mlflow = _tracking(jobs)
    allow_pickle = SourceSettings().allow_pickle
    sources = Sources(database, store, mlflow, shared=jobs.mlflow_shared, allow_pickle=allow_pickle)
    papers = Papers.open(jobs.signing_key, mlflow)
    conversion = Conversion(
        database, store, publication, sources, papers, store_settings, jobs, allow_pickle=allow_pickle
    )
    worker = Worker(database, conversion, jobs)
    task = asyncio.create_task(worker.run())
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return
    finally:
        if mlflow is not None:
            await mlflow.close()
        await pool.close()
        await database.close()


def _tracking(jobs: JobSettings) -> TrackingProcess | None:
    uri = MlflowSettings().tracking_uri
    if uri is None and jobs.mlflow_directory is None:
        return None
    place = tracking(jobs.mlflow_directory or jobs.signing_key.parent, uri.get_secret_value() if uri else None)
    return TrackingProcess(place, jobs.conversion_seconds)
