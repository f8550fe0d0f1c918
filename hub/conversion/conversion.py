"""One job from its files to a published version. Every step may be repeated after a kill."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from converters.child import Limits, Progress, convert
from converters.errors import LOG_KEPT, ConversionFailed
from converters.invocation import LOG
from converters.removal import discard
from converters.report import ConversionReport
from converters.request import ConversionRequest
from hub.artefacts import repository as artefacts
from hub.conversion import repository
from hub.conversion.converted_files import ConvertedFile, made, records
from hub.conversion.findings import Findings
from hub.conversion.papers import Papers
from hub.conversion.publication import Publication, make_live
from hub.conversion.sources import Sources
from hub.jobs import queue
from hub.jobs.models import Job, JobState
from hub.settings import JobSettings, StoreSettings
from registry.database import Database
from registry.spec.signature import Signature
from registry.store import ArtefactMissing, ArtefactStore, NotAFile
from registry.tables import FileRole, Version, VersionState
from registry.tracking import LOG_BYTES
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
        self._findings = Findings(store_settings.work_directory)
        self._lease_seconds = settings.job_lease_seconds
        self._limits = Limits(settings.conversion_seconds, settings.conversion_memory_bytes)

    async def run(self, job: Job, report: Report) -> None:
        """Bring the job's version as far as it goes and finish the job.

        Raises the converter's, the certificate's or Triton's error where the work could not be done.
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
            discard(work)

    async def give_up(self, job: Job, failure: dict[str, str | None]) -> None:
        """End a job that nobody tries again; a conversion without a verdict becomes a failed run.

        Raises JobLost where the job was taken over: run and findings are then the other worker's and are left alone.
        """
        assert job.worker is not None, "a claimed job has a worker"
        async with self._database.write() as session:
            await queue.renew(session, job.id, job.worker, self._lease_seconds)
        version = await self._load(job)
        if version.certificate is None:  # else it is publishing that failed
            assert job.started_at is not None, "a claimed job has been started"
            message = str(failure["message"])
            await self._papers.record_failure(version, job.started_at, message, await self._log_of(version), _SEED)
        async with self._database.write() as session:
            await queue.finish(session, job.id, job.worker, JobState.FAILED, "failed", failure)
            await repository.set_state(session, version.id, VersionState.FAILED, failure)
            await self._findings.remove(version)  # before the commit: nobody else can have the job yet

    async def clear(self) -> None:
        """Remove what was found out for versions that no job is to convert."""
        await self._findings.remove_orphans(self._database)

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
        try:
            found = await convert(request, output, self._limits, report, self._findings.of(version))
        finally:
            await self._store_files(version, records(output))
        _check_signature(found)
        certificate = self._papers.write(found, output)
        await self._papers.record(version, found, output, _SEED)  # before it counts as done: a kill repeats it
        await self._record(version, found, certificate)
        await self._findings.remove(version)

    async def _store_files(self, version: Version, files: Iterable[ConvertedFile]) -> None:
        try:
            stored = [(file.role, file.path.name, await self._store.put_file(file.path)) for file in files]
        except NotAFile as error:
            raise ConversionFailed(f"The child process left something else than a file: {error}.", LOG_KEPT) from error
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

    async def _log_of(self, version: Version) -> str:
        """The end of the log that the latest attempt left; none where it left none."""
        logs = (file.sha256 for file in version.files if file.role is FileRole.CONVERSION and file.path == LOG)
        end = b""
        try:
            for sha256 in logs:
                async for chunk in self._store.read(sha256):
                    end = (end + chunk)[-LOG_BYTES:]
        except ArtefactMissing as error:
            log.warning("the log of version %s is gone: %s", version.id, error)
        return end.decode("utf-8", "replace")


def _check_signature(found: ConversionReport) -> None:
    """The child is not trusted, and what Triton is configured by comes from it."""
    try:
        TypeAdapter(Signature).validate_python(found.signature)
    except ValidationError as error:
        raise ConversionFailed("The child process gave a signature that is not one.", LOG_KEPT) from error
