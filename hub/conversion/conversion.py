"""One job from its files to a published version. Every step may be repeated after a kill."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from converters.child import Limits, Progress, convert
from converters.errors import ConversionFailed, SourceInvalid
from converters.invocation import FINDINGS
from converters.report import ConversionReport
from converters.request import ConversionRequest
from hub.artefacts import repository as artefacts
from hub.conversion import repository
from hub.conversion.converted_files import ConvertedFile, made, records
from hub.conversion.papers import Papers
from hub.conversion.publication import Publication, make_live
from hub.conversion.sources import Sources
from hub.jobs import queue
from hub.jobs.models import Job, JobState
from hub.settings import JobSettings, StoreSettings
from registry.database import Database
from registry.store import ArtefactStore
from registry.tables import Version, VersionState
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
        sources: Sources,
        papers: Papers,
        store_settings: StoreSettings,
        settings: JobSettings,
        *,
        allow_pickle: bool,
    ) -> None:
        self._database = database
        self._store = store
        self._publication = publication
        self._sources = sources
        self._papers = papers
        self._allow_pickle = allow_pickle
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
        source, output = work / "source", work / "output"
        await self._sources.place(version, source)
        request = ConversionRequest(
            source=source,
            task=version.model.task,
            precision=version.precision,
            threads=_THREADS,
            seed=_SEED,
            budget=version.budget,
            time_limit=version.time_limit,
            allow_pickle=self._allow_pickle,
        )
        cache = self._work_directory / f"{version.serving_name}{FINDINGS}"  # outlives a worker that is killed
        try:
            found = await convert(request, output, self._limits, report, cache)
        except (SourceInvalid, ConversionFailed):  # nobody tries it again
            shutil.rmtree(cache, ignore_errors=True)
            raise
        finally:
            await self._store_files(version, records(output))
        certificate = self._papers.write(found, output)
        await self._papers.record(version, found, output, _SEED)  # before it counts as done: a kill repeats it
        await self._record(version, found, certificate)
        await asyncio.to_thread(shutil.rmtree, cache, ignore_errors=True)

    async def _store_files(self, version: Version, files: Iterable[ConvertedFile]) -> None:
        stored = [(file.role, file.path.name, await self._store.put_file(file.path)) for file in files]
        async with self._database.write() as session:
            for role, name, artefact in stored:
                await artefacts.record(session, None, artefact)
                await repository.add_file(session, version.id, role, name, artefact.sha256)

    async def _record(self, version: Version, found: ConversionReport, certificate: list[ConvertedFile]) -> None:
        await self._store_files(version, [*made(found), *certificate])
        certified = found.certificate.verdict == "certified"
        async with self._database.write() as session:
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
