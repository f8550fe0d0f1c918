"""Tables of jobs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base, Created, Identified
from registry.tables.columns import enum_column


class JobState(StrEnum):
    """queued → running → succeeded | failed; a job whose worker is lost is taken over by another."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen."""
        return self in (JobState.SUCCEEDED, JobState.FAILED)


class Job(Identified, Created, Base):
    """The conversion of one version. A worker holds it under a lease that it renews while it lives."""

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_waiting", "id", postgresql_where="state in ('queued', 'running')"),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    version_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id"), index=True)
    state: Mapped[JobState] = mapped_column(enum_column(JobState))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    worker: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(32))
    failure: Mapped[dict[str, Any] | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class JobEvent(Created, Base):
    """A step of a job, in order: what is being done, how far it is, how long it took so far."""

    __tablename__ = "job_events"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    data: Mapped[dict[str, Any]]
