"""From the header of a request to a principal, without a query where the key was seen a moment ago."""

from __future__ import annotations

from sqlalchemy import Row, func, or_, select

from hub.access import keys
from hub.access.models import ApiKey, ApiKeySecret
from hub.access.principal import Principal
from hub.errors import Unauthenticated
from hub.refreshing_cache import RefreshingCache
from registry.database import Database, ReadSession
from registry.tables import Tenant

REVOCATION_SECONDS = 1.0
"""A revoked key stops working within this time: no cached key is older when it is used."""


class Authenticator:
    """Looks keys up and remembers them for at most `REVOCATION_SECONDS`."""

    def __init__(self, database: Database, default_requests_per_minute: int) -> None:
        self._database = database
        self._default_rate = default_requests_per_minute
        self._cache: RefreshingCache[bytes, Principal] = RefreshingCache(
            self._load, fresh=REVOCATION_SECONDS / 2, stale=REVOCATION_SECONDS, size=10_000
        )

    async def authenticate(self, authorization: str | None, x_api_key: str | None) -> Principal:
        """The principal of `Authorization: Bearer KEY` or `x-api-key: KEY`. Raises `Unauthenticated`."""
        secret = _secret(authorization, x_api_key)
        if not keys.is_well_formed(secret):
            raise Unauthenticated(
                "This is not a Conch API key: the prefix, the length or the checksum is wrong.",
                reason="malformed",
                remedy="Copy the key again, whole.",
            )
        sha256 = keys.digest(secret)
        held = self._cache.peek(sha256)
        return held[0] if held is not None else await self._cache.get(sha256)

    async def _load(self, sha256: bytes) -> Principal:
        async with self._database.read() as session:
            found = await _find(session, sha256)
        if found is None:
            raise Unauthenticated(
                "This API key is unknown, expired or revoked.", reason="unknown", remedy="Ask for a new key."
            )
        key, tenant_name = found
        return Principal(
            key_id=key.id,
            kind=key.kind,
            tenant_id=key.tenant_id,
            tenant_name=tenant_name,
            scopes=frozenset(key.scopes),
            requests_per_minute=key.requests_per_minute or self._default_rate,
            expires_at=key.expires_at,
        )


def _secret(authorization: str | None, x_api_key: str | None) -> str:
    if x_api_key:
        return x_api_key
    if authorization is None:
        raise Unauthenticated(
            "This request carries no API key.",
            reason="missing",
            remedy="Send `Authorization: Bearer KEY` or `x-api-key: KEY`.",
        )
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("The Authorization header must be `Bearer KEY`.", reason="scheme")
    return secret.strip()


async def _find(session: ReadSession, sha256: bytes) -> Row[ApiKey, str] | None:
    """The key a secret opens now, by the database's clock, with its tenant's name; None where there is none."""
    now = func.now()
    found = await session.execute(
        select(ApiKey, Tenant.name)
        .join(ApiKeySecret, ApiKeySecret.key_id == ApiKey.id)
        .outerjoin(Tenant, Tenant.id == ApiKey.tenant_id)
        .where(
            ApiKeySecret.sha256 == sha256,
            or_(ApiKeySecret.expires_at.is_(None), ApiKeySecret.expires_at > now),
            ApiKey.revoked_at.is_(None),
            or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now),
        )
    )
    return found.one_or_none()
