"""Routes of jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

from sqlalchemy import Row
from starlette.requests import Request
from starlette.responses import StreamingResponse

from hub.access.admission import Caller, keyed_router
from hub.access.principal import Scope
from hub.errors import NotFound
from hub.http.pages import Page, Paging
from hub.http.sessions import Reading
from hub.jobs import repository
from hub.jobs.models import Job, JobEvent
from hub.jobs.schemas import Failure, JobOut, Step
from registry.database import Database

router = keyed_router("Jobs")

_LOOK_SECONDS = 0.3
_KEEPALIVE_SECONDS = 15.0  # proxies cut a silent connection after 30 to 60


@router.get("/v1/jobs", summary="List jobs")
async def list_jobs(caller: Caller, session: Reading, window: Paging) -> Page[JobOut]:
    """The tenant's jobs, newest first, without their progress."""
    rows = await repository.list_jobs(session, caller.require(Scope.MODELS), window.after, window.fetch)
    return window.page(rows, lambda row: _show(row, None))


@router.get("/v1/jobs/{job_id}", summary="Show a job")
async def get_job(job_id: UUID, caller: Caller, session: Reading) -> JobOut:
    """A job with the step it is at."""
    row = await repository.get_job(session, caller.require(Scope.MODELS), job_id)
    if row is None:
        raise NotFound("There is no such job.", param="job_id")
    return _show(row, await repository.latest_event(session, job_id))


@router.get(
    "/v1/jobs/{job_id}/events",
    summary="Watch a job",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events `progress` and, last, `end`."}},
)
async def watch_job(job_id: UUID, request: Request, caller: Caller) -> StreamingResponse:
    """Server-sent events: `progress` with each step from the first on, then `end` with the job as it ended."""
    tenant_id = caller.require(Scope.MODELS)
    database: Database = request.app.state.database
    async with database.read() as session:
        if await repository.get_job(session, tenant_id, job_id) is None:
            raise NotFound("There is no such job.", param="job_id")
    return StreamingResponse(_watch(database, tenant_id, job_id), media_type="text/event-stream")


async def _watch(database: Database, tenant_id: UUID, job_id: UUID) -> AsyncIterator[str]:
    seen, silent = 0, 0.0
    while True:
        async with database.read() as session:
            row = await repository.get_job(session, tenant_id, job_id)
            events = await repository.events_after(session, job_id, seen)
        assert row is not None, "jobs are never deleted"
        for event in events:
            seen = event.number
            yield f"event: progress\nid: {seen}\ndata: {Step.model_validate(event.data).model_dump_json()}\n\n"
        if row[0].state.is_final:
            yield f"event: end\ndata: {_show(row, None).model_dump_json()}\n\n"
            return
        silent = 0.0 if events else silent + _LOOK_SECONDS
        if silent >= _KEEPALIVE_SECONDS:
            silent = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(_LOOK_SECONDS)


def _show(row: Row[Job, str, int], event: JobEvent | None) -> JobOut:
    job, model, number = row
    return JobOut(
        id=job.id,
        model=model,
        version=number,
        state=job.state,
        outcome=job.outcome,
        failure=Failure.model_validate(job.failure) if job.failure else None,
        attempts=job.attempts,
        progress=Step.model_validate(event.data) if event else None,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )
