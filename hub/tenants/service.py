"""Making tenants and keys."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from hub.access import keys
from hub.access.keys import KeyKind
from hub.access.models import ApiKey, ApiKeySecret
from hub.access.principal import Principal, Scope
from hub.billing.accounts import open_accounts
from hub.errors import Conflict, Forbidden, NotFound, Unprocessable
from hub.tenants import repository
from hub.tenants.schemas import CreatedKey, NewKey, NewTenant
from registry.database import ReadSession, WriteSession
from registry.tables import Tenant

_LATEST_EXPIRY = datetime(9999, 1, 1, tzinfo=UTC)  # a year of five digits in UTC cannot be read back


async def create_tenant(session: WriteSession, new: NewTenant) -> Tenant:
    """A new tenant. Raises `Conflict` where the name is taken."""
    tenant = Tenant(name=new.name)
    session.add(tenant)
    try:
        await session.flush()
    except IntegrityError as error:
        raise Conflict(f"A tenant named {new.name!r} exists already.", param="name", reason="exists") from error
    open_accounts(session, tenant.id)
    await session.refresh(tenant)
    return tenant


async def create_key(session: WriteSession, principal: Principal, new: NewKey) -> CreatedKey:
    """A new key of the caller's tenant, or of any tenant for a platform key.

    What a tenant's key leaves open, the new key takes over from it. Raises `Forbidden` where the new key would be
    allowed more than the key that makes it.
    """
    tenant_id = await key_tenant(session, principal, new.tenant)
    if new.expires_at is not None and (new.expires_at.tzinfo is None or not _in_time(new.expires_at)):
        raise Unprocessable("expires_at must be a time in the future, with its zone.", param="expires_at")
    return await _store_key(session, KeyKind.LIVE, tenant_id, new if principal.is_admin else _within(principal, new))


async def create_admin_key(session: WriteSession, name: str) -> str:
    """A new platform key; only for the operator's own bootstrap, no route leads here."""
    created = await _store_key(session, KeyKind.ADMIN, None, NewKey(name=name))
    return created.secret


async def key_tenant(session: ReadSession, principal: Principal, tenant: str | None) -> UUID:
    """The tenant whose keys the caller means and may manage."""
    if principal.is_admin:
        if tenant is None:
            raise Unprocessable("A platform key must name the tenant.", param="tenant")
        found = await repository.find_tenant(session, tenant)
        if found is None:
            raise NotFound(f"There is no tenant {tenant!r}.", param="tenant")
        return found.id
    tenant_id = principal.require(Scope.KEYS)
    if tenant is not None and tenant != principal.tenant_name:
        raise NotFound(f"There is no tenant {tenant!r}.", param="tenant")
    return tenant_id


def _in_time(expires_at: datetime) -> bool:
    return datetime.now(UTC) < expires_at < _LATEST_EXPIRY


def _within(principal: Principal, new: NewKey) -> NewKey:
    missing = {scope.value for scope in new.scopes} - principal.scopes
    if missing:
        raise Forbidden(f"This key cannot give away {sorted(missing)}, which it lacks itself.", param="scopes")
    rate = new.requests_per_minute or principal.requests_per_minute
    if rate > principal.requests_per_minute:
        raise Forbidden(
            f"This key may make {principal.requests_per_minute} requests a minute and cannot give away more.",
            param="requests_per_minute",
        )
    expiry = new.expires_at or principal.expires_at
    if principal.expires_at is not None and expiry is not None and expiry > principal.expires_at:
        raise Forbidden("This key cannot make one that outlives it.", param="expires_at")
    return new.model_copy(update={"requests_per_minute": rate, "expires_at": expiry})


async def _store_key(session: WriteSession, kind: KeyKind, tenant_id: UUID | None, new: NewKey) -> CreatedKey:
    secret = keys.generate(kind)
    key = ApiKey(
        kind=kind,
        tenant_id=tenant_id,
        name=new.name,
        scopes=[scope.value for scope in dict.fromkeys(new.scopes)],
        requests_per_minute=new.requests_per_minute,
        expires_at=new.expires_at,
    )
    session.add(key)
    await session.flush()
    session.add(ApiKeySecret(key_id=key.id, sha256=keys.digest(secret), display=keys.displayable(secret)))
    await session.flush()
    await session.refresh(key)
    return CreatedKey(
        id=key.id,
        name=key.name,
        display=keys.displayable(secret),
        scopes=key.scopes,
        requests_per_minute=key.requests_per_minute,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=None,
        secret=secret,
    )
