"""Table of usage."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base, Created


class UsageRecord(Created, Base):
    """One answered call: `id` is the server's request id, `units` what the model counted, `charge` in nano-units."""

    __tablename__ = "usage_records"
    __table_args__ = (
        Index("ix_usage_records_tenant_id_id", "tenant_id", "id"),
        CheckConstraint("nano_charge >= 0", name="charge_not_negative"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"))
    version_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id"))
    units: Mapped[dict[str, Any]]
    price_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))
    nano_charge: Mapped[int] = mapped_column(BigInteger)
