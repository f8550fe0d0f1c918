"""Jobs as the API shows them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from hub.jobs.models import JobState


class Failure(BaseModel):
    """Why something was not done, and what helps."""

    message: str
    remedy: str | None = None


class Step(BaseModel):
    """What a job is doing."""

    step: str
    message: str = Field(description="The step in words.")
    fraction: float | None = Field(description="How much of the step is done, 0 to 1, where that is known.")
    elapsed: float = Field(description="Seconds since the job began.")


class JobOut(BaseModel):
    """A job."""

    id: UUID
    model: str
    version: int
    state: JobState
    outcome: str | None = Field(description="`published`, `rejected` or `failed` at the end.")
    failure: Failure | None
    attempts: int
    progress: Step | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
