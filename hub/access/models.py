"""Tables of API keys."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Integer, LargeBinary, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from hub.access.keys import KeyKind
from registry.database import Base, Created, Identified
from registry.tables.columns import enum_column


class ApiKey(Identified, Created, Base):
    """A key with a stable identity; the secrets that open it come and go."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("(kind = 'live') = (tenant_id is not null)", name="live_keys_belong_to_a_tenant"),
        CheckConstraint("requests_per_minute > 0", name="rate_positive"),
    )

    kind: Mapped[KeyKind] = mapped_column(enum_column(KeyKind))
    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenants.id"), index=True)
    name: Mapped[str] = mapped_column(String(63))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(32)))
    requests_per_minute: Mapped[int | None] = mapped_column(Integer)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class ApiKeySecret(Identified, Created, Base):
    """The SHA-256 of a secret and its displayable start; the secret itself is nowhere."""

    __tablename__ = "api_key_secrets"

    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"), index=True)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    display: Mapped[str] = mapped_column(String(32))
    expires_at: Mapped[datetime | None]
