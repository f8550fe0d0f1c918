"""The worker's side of jobs: claim, keep, report, finish. Times are the database's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from hub.jobs.models import Job, JobEvent, JobState
from registry.database import WriteSession


class JobLost(Exception):
    """Another worker has taken the job over; this one must stop."""


def enqueue(session: WriteSession, tenant_id: UUID, version_id: UUID) -> Job:
    """Queue the conversion of a version, in the transaction that registers it."""
    job = Job(tenant_id=tenant_id, version_id=version_id, state=JobState.QUEUED)
    session.add(job)
    return job


async def claim(session: WriteSession, worker: UUID, lease_seconds: float) -> Job | None:
    """Take the oldest job that nobody works on; also one whose worker has not been heard of."""
    waiting = (
        select(Job.id)
        .where(
            or_(
                Job.state == JobState.QUEUED,
                and_(Job.state == JobState.RUNNING, Job.lease_until < func.now()),
            )
        )
        .order_by(Job.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    return await session.scalar(
        update(Job)
        .where(Job.id == waiting)
        .values(
            state=JobState.RUNNING,
            worker=worker,
            lease_until=func.now() + timedelta(seconds=lease_seconds),
            attempts=Job.attempts + 1,
            started_at=func.coalesce(Job.started_at, func.now()),
        )
        .returning(Job)
    )


async def renew(session: WriteSession, job_id: UUID, worker: UUID, lease_seconds: float) -> None:
    """Keep a job. Raises `JobLost` where it was taken over."""
    kept = await session.scalar(
        update(Job)
        .where(Job.id == job_id, Job.worker == worker, Job.state == JobState.RUNNING)
        .values(lease_until=func.now() + timedelta(seconds=lease_seconds))
        .returning(Job.id)
    )
    if kept is None:
        raise JobLost


async def report(session: WriteSession, job_id: UUID, data: dict[str, Any]) -> None:
    """Append an event for those who watch."""
    following = select(func.coalesce(func.max(JobEvent.number), 0) + 1).where(JobEvent.job_id == job_id)
    await session.execute(insert(JobEvent).values(job_id=job_id, number=following.scalar_subquery(), data=data))


async def finish(
    session: WriteSession,
    job_id: UUID,
    worker: UUID,
    state: JobState,
    outcome: str,
    failure: dict[str, Any] | None = None,
) -> None:
    """End a job, in the transaction that records its result. Raises `JobLost` where it was taken over."""
    ended = await session.scalar(
        update(Job)
        .where(Job.id == job_id, Job.worker == worker, Job.state == JobState.RUNNING)
        .values(state=state, outcome=outcome, failure=failure, finished_at=func.now(), lease_until=None)
        .returning(Job.id)
    )
    if ended is None:
        raise JobLost


async def give_back(session: WriteSession, job_id: UUID, worker: UUID) -> None:
    """Put a job back into the queue, for a worker that is being stopped: it does not count as an attempt."""
    await session.execute(
        update(Job)
        .where(Job.id == job_id, Job.worker == worker, Job.state == JobState.RUNNING)
        .values(state=JobState.QUEUED, worker=None, lease_until=None, attempts=Job.attempts - 1)
    )
