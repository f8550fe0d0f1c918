"""Who is calling, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from hub.access.keys import KeyKind
from hub.errors import Forbidden


class Scope(StrEnum):
    """What a tenant's key may be used for."""

    INFER = "infer"
    MODELS = "models"
    KEYS = "keys"


@dataclass(frozen=True)
class Principal:
    """A key that was found good. A platform key has no tenant and may act on all of them."""

    key_id: UUID
    kind: KeyKind
    tenant_id: UUID | None
    tenant_name: str | None
    scopes: frozenset[str]
    requests_per_minute: int
    expires_at: datetime | None

    @property
    def is_admin(self) -> bool:
        """Whether this is a platform key."""
        return self.kind is KeyKind.ADMIN

    def require(self, scope: Scope) -> UUID:
        """The tenant this key acts for. Raises `Forbidden` where the key lacks `scope` or belongs to no tenant."""
        if self.tenant_id is None:
            raise Forbidden("A platform key belongs to no tenant.", remedy="Use a key of the tenant.", reason="kind")
        if scope not in self.scopes:
            raise Forbidden(
                f"This key lacks the scope {scope.value!r}.", remedy="Use a key that has it.", reason="scope"
            )
        return self.tenant_id

    def require_admin(self) -> None:
        """Raises `Forbidden` unless this is a platform key."""
        if not self.is_admin:
            raise Forbidden("This needs a platform key.", remedy="Use a key that starts with conch_admin_.")
