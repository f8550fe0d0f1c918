"""Tenants and keys in the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, func, select, update

from hub.access.keys import KeyKind
from hub.access.models import ApiKey, ApiKeySecret
from registry.database import ReadSession, WriteSession
from registry.tables import Tenant


async def find_tenant(session: ReadSession, name: str) -> Tenant | None:
    """The tenant of that name."""
    return await session.scalar(select(Tenant).where(Tenant.name == name))


async def list_tenants(session: ReadSession, after: UUID | None, limit: int) -> Sequence[Tenant]:
    """Tenants, newest first, those made before `after`."""
    query = select(Tenant).order_by(Tenant.id.desc()).limit(limit)
    if after is not None:
        query = query.where(Tenant.id < after)
    return (await session.scalars(query)).all()


async def list_keys(
    session: ReadSession, tenant_id: UUID, after: UUID | None, limit: int
) -> Sequence[Row[ApiKey, str]]:
    """A tenant's keys with the displayable start of their newest secret, newest first."""
    newest = (
        select(ApiKeySecret.display)
        .where(ApiKeySecret.key_id == ApiKey.id)
        .order_by(ApiKeySecret.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = select(ApiKey, newest).where(ApiKey.tenant_id == tenant_id).order_by(ApiKey.id.desc()).limit(limit)
    if after is not None:
        query = query.where(ApiKey.id < after)
    return (await session.execute(query)).all()


async def has_admin(session: ReadSession) -> bool:
    """Whether any platform key is in force."""
    return bool(
        await session.scalar(
            select(ApiKey.id).where(ApiKey.kind == KeyKind.ADMIN, ApiKey.revoked_at.is_(None)).limit(1)
        )
    )


async def revoke(session: WriteSession, tenant_id: UUID, key_id: UUID) -> datetime | None:
    """Revoke a tenant's key; the time it was revoked, or None where the tenant has no such key."""
    return await session.scalar(
        update(ApiKey)
        .where(ApiKey.id == key_id, ApiKey.tenant_id == tenant_id)
        .values(revoked_at=func.coalesce(ApiKey.revoked_at, func.now()))
        .returning(ApiKey.revoked_at)
    )
