"""Routes of tenants and keys."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from hub.access.admission import Caller, keyed_router
from hub.errors import NotFound
from hub.http.pages import Page, Paging
from hub.http.sessions import Reading, Writing
from hub.tenants import repository, service
from hub.tenants.schemas import CreatedKey, KeyOut, KeySelf, Name, NewKey, NewTenant, TenantOut

router = keyed_router("Tenants and keys")

TenantName = Annotated[Name | None, Query(description="The tenant, for a platform key.")]


class RevokedKey(BaseModel):
    """A key that no longer works."""

    id: UUID
    revoked_at: datetime


@router.post("/v1/tenants", status_code=201, summary="Create a tenant (platform key)")
async def create_tenant(new: NewTenant, caller: Caller, session: Writing) -> TenantOut:
    """Create a tenant."""
    caller.require_admin()
    return TenantOut.model_validate(await service.create_tenant(session, new))


@router.get("/v1/tenants", summary="List tenants (platform key)")
async def list_tenants(caller: Caller, session: Reading, window: Paging) -> Page[TenantOut]:
    """All tenants, newest first."""
    caller.require_admin()
    rows = await repository.list_tenants(session, window.after, window.fetch)
    return window.page(rows, TenantOut.model_validate)


@router.post("/v1/keys", status_code=201, summary="Create a key")
async def create_key(new: NewKey, caller: Caller, session: Writing) -> CreatedKey:
    """Create a key. The secret is in this answer and nowhere else."""
    return await service.create_key(session, caller, new)


@router.get("/v1/keys", summary="List keys")
async def list_keys(caller: Caller, session: Reading, window: Paging, tenant: TenantName = None) -> Page[KeyOut]:
    """The tenant's keys, newest first."""
    tenant_id = await service.key_tenant(session, caller, tenant)
    rows = await repository.list_keys(session, tenant_id, window.after, window.fetch)
    return window.page(rows, lambda row: KeyOut.model_validate({**_columns(row[0]), "display": row[1]}))


@router.delete("/v1/keys/{key_id}", summary="Revoke a key")
async def revoke_key(key_id: UUID, caller: Caller, session: Writing, tenant: TenantName = None) -> RevokedKey:
    """Revoke a key; it stops working within a second, everywhere."""
    tenant_id = await service.key_tenant(session, caller, tenant)
    revoked_at = await repository.revoke(session, tenant_id, key_id)
    if revoked_at is None:
        raise NotFound("There is no such key.", param="key_id")
    return RevokedKey(id=key_id, revoked_at=revoked_at)


@router.get("/v1/key", summary="The key that makes this call")
async def own_key(caller: Caller) -> KeySelf:
    """Whose key this is and what it may do."""
    return KeySelf(
        id=caller.key_id,
        kind=caller.kind.value,
        tenant=caller.tenant_name,
        scopes=sorted(caller.scopes),
        requests_per_minute=caller.requests_per_minute,
    )


def _columns(row: object) -> dict[str, object]:
    return {name: getattr(row, name) for name in KeyOut.model_fields if name != "display"}
