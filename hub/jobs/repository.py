"""The watcher's side of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Row, Select, select

from hub.jobs.models import Job, JobEvent
from registry.database import ReadSession
from registry.tables import Model, Version


async def get_job(session: ReadSession, tenant_id: UUID, job_id: UUID) -> Row[Job, str, int] | None:
    """A tenant's job, with the name of the model and the number of the version it converts."""
    found = await session.execute(_jobs(tenant_id).where(Job.id == job_id))
    return found.one_or_none()


async def list_jobs(
    session: ReadSession, tenant_id: UUID, after: UUID | None, limit: int
) -> Sequence[Row[Job, str, int]]:
    """A tenant's jobs, newest first."""
    query = _jobs(tenant_id).order_by(Job.id.desc()).limit(limit)
    if after is not None:
        query = query.where(Job.id < after)
    return (await session.execute(query)).all()


async def events_after(session: ReadSession, job_id: UUID, number: int) -> Sequence[JobEvent]:
    """The events of a job that come after the event of that number."""
    rows = await session.scalars(
        select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.number > number).order_by(JobEvent.number)
    )
    return rows.all()


async def latest_event(session: ReadSession, job_id: UUID) -> JobEvent | None:
    """The newest event of a job."""
    return await session.scalar(
        select(JobEvent).where(JobEvent.job_id == job_id).order_by(JobEvent.number.desc()).limit(1)
    )


def _jobs(tenant_id: UUID) -> Select[Job, str, int]:
    return (
        select(Job, Model.name, Version.number)
        .join(Version, Version.id == Job.version_id)
        .join(Model, Model.id == Version.model_id)
        .where(Job.tenant_id == tenant_id)
    )
