"""Which files there are, and whose they are."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert

from registry.database import ReadSession, WriteSession
from registry.store import StoredArtefact
from registry.tables import Artefact, ArtefactOwner, Model, Version, VersionFile


async def record(session: WriteSession, tenant_id: UUID | None, stored: StoredArtefact) -> None:
    """Note that a file is in the store and, unless Conch itself made it, that the tenant may use it."""
    await session.execute(insert(Artefact).values(sha256=stored.sha256, bytes=stored.bytes).on_conflict_do_nothing())
    if tenant_id is not None:
        await session.execute(
            insert(ArtefactOwner).values(tenant_id=tenant_id, sha256=stored.sha256).on_conflict_do_nothing()
        )


async def readable(session: ReadSession, tenant_id: UUID, sha256: str) -> Artefact | None:
    """An artefact that the tenant uploaded or that belongs to a version of one of its models."""
    uploaded = select(ArtefactOwner.sha256).where(ArtefactOwner.tenant_id == tenant_id, ArtefactOwner.sha256 == sha256)
    produced = (
        select(VersionFile.sha256)
        .join(Version, Version.id == VersionFile.version_id)
        .join(Model, Model.id == Version.model_id)
        .where(Model.tenant_id == tenant_id, VersionFile.sha256 == sha256)
    )
    return await session.scalar(
        select(Artefact).where(Artefact.sha256 == sha256, or_(uploaded.exists(), produced.exists()))
    )


async def owned(session: ReadSession, tenant_id: UUID, hashes: Collection[str]) -> set[str]:
    """Those of `hashes` that the tenant uploaded."""
    rows = await session.scalars(
        select(ArtefactOwner.sha256).where(ArtefactOwner.tenant_id == tenant_id, ArtefactOwner.sha256.in_(hashes))
    )
    return set(rows)
