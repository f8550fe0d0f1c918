"""What a conversion writes about its version, step by step."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import joinedload, selectinload

from hub.jobs.models import Job, JobState
from registry.database import ReadSession, WriteSession
from registry.tables import FileRole, Version, VersionFile, VersionState


async def load(session: ReadSession, version_id: UUID) -> Version:
    """A version with its model and its files."""
    found = await session.execute(
        select(Version).where(Version.id == version_id).options(joinedload(Version.model), selectinload(Version.files))
    )
    return found.scalar_one()


async def awaited(session: ReadSession) -> set[str]:
    """The serving names of versions whose conversion is queued or under way."""
    names = await session.scalars(
        select(Version.serving_name)
        .join(Job, Job.version_id == Version.id)
        .where(Job.state.in_([JobState.QUEUED, JobState.RUNNING]))
    )
    return set(names)


async def set_state(
    session: WriteSession, version_id: UUID, state: VersionState, failure: dict[str, Any] | None = None
) -> None:
    """Move a version on, with the reason where it failed or was rejected."""
    values: dict[str, Any] = {"state": state, "failure": failure}
    if state is VersionState.PUBLISHED:
        values["published_at"] = func.now()
    await session.execute(update(Version).where(Version.id == version_id).values(**values))


async def record_result(
    session: WriteSession,
    version_id: UUID,
    *,
    state: VersionState,
    certificate: dict[str, Any],
    signature: dict[str, Any],
    max_batch: int,
    runtime_hash: str,
    failure: dict[str, Any] | None,
) -> None:
    """Write what a conversion found: the certificate and, where it certifies, what is needed to serve."""
    await session.execute(
        update(Version)
        .where(Version.id == version_id)
        .values(
            state=state,
            certificate=certificate,
            signature=signature,
            max_batch=max_batch,
            runtime_hash=runtime_hash,
            failure=failure,
        )
    )


async def add_file(session: WriteSession, version_id: UUID, role: FileRole, path: str, sha256: str) -> None:
    """Note a file that a conversion made; a conversion that is repeated notes it again."""
    statement = insert(VersionFile).values(version_id=version_id, role=role, path=path, sha256=sha256)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[VersionFile.version_id, VersionFile.role, VersionFile.path], set_={"sha256": sha256}
        )
    )
