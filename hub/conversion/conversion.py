"""One job from its files to a published version. Every step may be repeated after a kill."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from converters.child import Limits, Progress, convert
from converters.invocation import RECORDS
from converters.report import ConversionReport
from converters.request import ConversionRequest
from hub.artefacts import repository as artefacts
from hub.catalogue.registration import place_files
from hub.conversion import repository
from hub.conversion.publication import Publication, make_live
from hub.jobs import queue
from hub.jobs.models import Job, JobState
from hub.settings import JobSettings, StoreSettings
from registry.database import Database
from registry.store import ArtefactStore
from registry.tables import FileRole, Version, VersionState
from triton_repo.publish import runtime_hash

log = logging.getLogger(__name__)

_SEED = 0
_THREADS = 1  # latency is certified on one thread; more would measure the neighbours too

Report = Callable[[Progress], Awaitable[None]]


class Conversion:
    """Converts, certifies and publishes the version of a job."""

    def __init__(
        self,
        database: Database,
        store: ArtefactStore,
        publication: Publication,
        store_settings: StoreSettings,
        settings: JobSettings,
    ) -> None:
        self._database = database
        self._store = store
        self._publication = publication
        self._work_directory = store_settings.work_directory
        self._limits = Limits(settings.conversion_seconds, settings.conversion_memory_bytes)

    async def run(self, job: Job, report: Report) -> None:
        """Bring the job's version as far as it goes and finish the job.

        Raises the converter's, Triton's or the store's error where the work could not be done.
        """
        assert job.worker is not None, "a claimed job has a worker"
        version = await self._load(job)
        work = Path(tempfile.mkdtemp(dir=self._work_directory, prefix=f"{version.serving_name}-"))
        try:
            if version.state is not VersionState.CERTIFIED:
                await self._convert(version, work, report)
                version = await self._load(job)
            if version.state is VersionState.REJECTED:
                async with self._database.write() as session:
                    await queue.finish(session, job.id, job.worker, JobState.SUCCEEDED, "rejected", version.failure)
                return
            await report(Progress("publish", "loading the model into Triton and probing it", None, 0.0))
            await self._publication.serve(version, work)
            async with self._database.write() as session:
                await queue.finish(session, job.id, job.worker, JobState.SUCCEEDED, "published")
                await make_live(session, version)
        finally:
            shutil.rmtree(work)

    async def _load(self, job: Job) -> Version:
        async with self._database.read() as session:
            return await repository.load(session, job.version_id)

    async def _convert(self, version: Version, work: Path, report: Report) -> None:
        async with self._database.write() as session:
            await repository.set_state(session, version.id, VersionState.CONVERTING)
        source = work / "source"
        files = {file.path: file.sha256 for file in version.files if file.role is FileRole.SOURCE}
        await place_files(self._store, files, source)
        request = ConversionRequest(
            source=source, task=version.model.task, precision=version.precision, threads=_THREADS, seed=_SEED
        )
        output = work / "output"
        try:
            found = await convert(request, output, self._limits, report)
        finally:
            await self._keep_record(version, output)
        await self._record(version, found)

    async def _keep_record(self, version: Version, output: Path) -> None:
        """Keep what says how the conversion went and repeats it, all the more where it failed."""
        stored = [(path.name, await self._store.put_file(path)) for path in _records(output)]
        async with self._database.write() as session:
            for name, artefact in stored:
                await artefacts.record(session, None, artefact)
                await repository.add_file(session, version.id, FileRole.CONVERSION, name, artefact.sha256)

    async def _record(self, version: Version, found: ConversionReport) -> None:
        made = [(FileRole.SERVED, path) for path in sorted(found.model_directory.iterdir())]
        made.append((FileRole.PROBE, found.probe))
        if found.canonical is not None:
            made.append((FileRole.CANONICAL, found.canonical))
        stored = [(role, path.name, await self._store.put_file(path)) for role, path in made]
        certified = found.certificate.verdict == "certified"
        async with self._database.write() as session:
            for role, name, artefact in stored:
                await artefacts.record(session, None, artefact)
                await repository.add_file(session, version.id, role, name, artefact.sha256)
            await repository.record_result(
                session,
                version.id,
                state=VersionState.CERTIFIED if certified else VersionState.REJECTED,
                certificate=found.certificate.model_dump(mode="json"),
                signature=found.signature,
                max_batch=found.max_batch,
                runtime_hash=runtime_hash(),
                failure=None if certified else {"message": found.certificate.reason, "remedy": None},
            )


def _records(output: Path) -> list[Path]:
    return [output / name for name in RECORDS if (output / name).exists()]
