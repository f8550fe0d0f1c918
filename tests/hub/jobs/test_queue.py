"""The queue of jobs between two workers, on a database of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from hub.jobs import queue, repository
from hub.jobs.models import Job, JobState
from hub.jobs.queue import JobLost
from registry.database import Database
from registry.ids import new_id
from tests.hub.versions import registered_version

_LONG, _OVER = 60.0, -1.0
"""A lease that holds for the whole test, and one that is over when it is given."""


@pytest.fixture
async def database(scratch_url: str) -> AsyncIterator[Database]:
    database = Database(scratch_url, pool_size=4)
    yield database
    async with database.write() as session:  # no job waits for the next test
        while job := await queue.claim(session, new_id(), _LONG):
            assert job.worker is not None
            await queue.finish(session, job.id, job.worker, JobState.FAILED, "failed")
    await database.close()


@pytest.fixture
async def job_ids(database: Database) -> list[UUID]:
    """Three jobs, in the order they were queued."""
    ids = []
    for _ in range(3):
        async with database.write() as session:
            tenant_id, version = await registered_version(session)
            job = queue.enqueue(session, tenant_id, version.id)
            await session.flush()
            ids.append(job.id)
        await asyncio.sleep(0.002)  # ids of the same millisecond have no order
    return ids


async def _claim(database: Database, worker: UUID, lease: float = _LONG) -> Job | None:
    async with database.write() as session:
        return await queue.claim(session, worker, lease)


async def test_jobs_are_taken_in_order_and_each_by_one_worker(database: Database, job_ids: list[UUID]) -> None:
    first = await _claim(database, new_id())
    assert first is not None
    assert (first.id, first.state, first.attempts) == (job_ids[0], JobState.RUNNING, 1)
    claimed = await asyncio.gather(*(_claim(database, new_id()) for _ in range(4)))
    assert sorted(job.id for job in claimed if job) == job_ids[1:]


async def test_a_worker_that_is_heard_of_keeps_its_job(database: Database, job_ids: list[UUID]) -> None:
    worker = new_id()
    for _ in job_ids:
        await _claim(database, worker, _OVER)
        async with database.write() as session:
            claimed = await session.get_one(Job, job_ids[0])
            await queue.renew(session, claimed.id, worker, _LONG)
    others = [await _claim(database, new_id()) for _ in range(3)]
    assert job_ids[0] not in [job.id for job in others if job]


async def test_a_job_whose_lease_is_over_is_taken_by_another(database: Database, job_ids: list[UUID]) -> None:
    lost, other = new_id(), new_id()
    first = await _claim(database, lost, _OVER)
    again = await _claim(database, other)
    assert first is not None
    assert again is not None
    assert (again.id, again.worker, again.attempts) == (job_ids[0], other, 2)
    assert again.started_at == first.started_at
    with pytest.raises(JobLost):
        async with database.write() as session:
            await queue.renew(session, first.id, lost, _LONG)
    with pytest.raises(JobLost):
        async with database.write() as session:
            await queue.finish(session, first.id, lost, JobState.SUCCEEDED, "published")
    async with database.write() as session:
        await queue.give_back(session, first.id, lost)  # says nothing and changes nothing
        await queue.finish(session, first.id, other, JobState.SUCCEEDED, "published")
    async with database.read() as session:
        ended = await session.get_one(Job, first.id)
        assert (ended.state, ended.outcome, ended.worker) == (JobState.SUCCEEDED, "published", other)
        assert ended.finished_at is not None


async def test_a_job_that_is_given_back_is_next_and_the_attempt_is_not_counted(
    database: Database, job_ids: list[UUID]
) -> None:
    worker = new_id()
    await _claim(database, worker)
    async with database.write() as session:
        await queue.give_back(session, job_ids[0], worker)
    again = await _claim(database, new_id())
    assert again is not None
    assert (again.id, again.attempts) == (job_ids[0], 1)


async def test_a_finished_job_is_not_worked_on_again(database: Database, job_ids: list[UUID]) -> None:
    worker = new_id()
    for _ in job_ids:
        job = await _claim(database, worker, _OVER)
        assert job is not None
        async with database.write() as session:
            await queue.finish(session, job.id, worker, JobState.FAILED, "failed", {"message": "no"})
    assert await _claim(database, worker) is None
    with pytest.raises(JobLost):
        async with database.write() as session:
            await queue.finish(session, job_ids[0], worker, JobState.SUCCEEDED, "published")


async def test_steps_are_numbered_in_the_order_they_are_reported(database: Database, job_ids: list[UUID]) -> None:
    for step in ("export", "calibrate", "publish"):
        async with database.write() as session:
            await queue.report(session, job_ids[1], {"step": step})
    async with database.read() as session:
        events = await repository.events_after(session, job_ids[1], 1)
        latest = await repository.latest_event(session, job_ids[1])
        assert [(event.number, event.data["step"]) for event in events] == [(2, "calibrate"), (3, "publish")]
        assert latest is not None
        assert latest.number == 3
        assert await repository.latest_event(session, job_ids[2]) is None
