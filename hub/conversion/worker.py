"""The loop of a worker: claim a job, keep its lease while it runs, and say how it ended."""

from __future__ import annotations

import asyncio
import logging
import time

from sqlalchemy.exc import SQLAlchemyError

from converters.child import Progress
from converters.errors import ConversionFailed, SourceInvalid
from hub.conversion.conversion import Conversion, Report
from hub.jobs import queue
from hub.jobs.models import Job
from hub.jobs.queue import JobLost
from hub.settings import JobSettings
from registry.certificates.errors import CertificateError
from registry.certificates.text import plain
from registry.database import Database
from registry.ids import new_id
from triton_repo.errors import TritonRepoError

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5


class Worker:
    """Works on one job at a time."""

    def __init__(self, database: Database, conversion: Conversion, settings: JobSettings) -> None:
        self._database = database
        self._conversion = conversion
        self._settings = settings
        self._id = new_id()

    async def run(self) -> None:
        """Work until cancelled; a job under way is then given back to the queue."""
        cleared = False
        while True:
            try:
                if not cleared:
                    await self._conversion.clear()
                    cleared = True
                job = await self._claim()
                if job is not None:
                    await self._work(job)
                    continue
            except (SQLAlchemyError, OSError) as error:
                log.warning("the database is away: %s", error)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _claim(self) -> Job | None:
        async with self._database.write() as session:
            return await queue.claim(session, self._id, self._settings.job_lease_seconds)

    async def _work(self, job: Job) -> None:
        log.info("job %s: attempt %d", job.id, job.attempts)
        work = asyncio.create_task(self._convert(job))
        keep = asyncio.create_task(self._keep(job))
        try:
            done, _ = await asyncio.wait((work, keep), return_when=asyncio.FIRST_COMPLETED)
            if work in done:
                work.result()
            else:
                log.warning("job %s was taken over", job.id)
        except asyncio.CancelledError:
            await _stopped(work)
            async with self._database.write() as session:
                await queue.give_back(session, job.id, self._id)
            raise
        finally:
            await _stopped(work)
            await _stopped(keep)

    async def _convert(self, job: Job) -> None:
        started = time.monotonic()

        async def report(progress: Progress) -> None:
            data = {
                "step": plain(progress.step),
                "message": plain(progress.message),
                "fraction": progress.fraction if progress.fraction is None or 0 <= progress.fraction <= 1 else None,
                "elapsed": round(time.monotonic() - started, 2),
            }
            async with self._database.write() as session:
                await queue.report(session, job.id, data)

        try:
            if job.attempts > self._settings.job_attempts:
                await self._fail(job, "The conversion broke its worker every time it was tried.", None)
                return
            await self._try(job, report)
        except JobLost:
            log.warning("job %s was taken over", job.id)

    async def _try(self, job: Job, report: Report) -> None:
        try:
            await self._conversion.run(job, report)
        except (SourceInvalid, ConversionFailed, CertificateError, TritonRepoError) as error:
            await self._fail(job, error.message, error.remedy or None)

    async def _fail(self, job: Job, message: str, remedy: str | None) -> None:
        """End a job that nobody tries again. The words may be the child's, and are made fit to be kept."""
        log.warning("job %s failed: %s", job.id, message)
        failure = {"message": plain(message), "remedy": None if remedy is None else plain(remedy)}
        await self._conversion.give_up(job, failure)

    async def _keep(self, job: Job) -> None:
        """Renew the lease at a third of its time; return when it is lost."""
        while True:
            await asyncio.sleep(self._settings.job_lease_seconds / 3)
            try:
                async with self._database.write() as session:
                    await queue.renew(session, job.id, self._id, self._settings.job_lease_seconds)
            except JobLost:
                return
            except (SQLAlchemyError, OSError) as error:
                log.warning("cannot renew the lease of job %s: %s", job.id, error)


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
