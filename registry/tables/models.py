"""Models: a name, a task, and who may see it."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base, Created, Identified
from registry.tables.columns import enum_column


class Visibility(StrEnum):
    """Who may call a model: its own tenant, or everybody with a key."""

    PRIVATE = "private"
    PUBLIC = "public"


class Model(Identified, Created, Base):
    """A model of a tenant; its versions carry the files."""

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str] = mapped_column(String(63), index=True)
    task: Mapped[str] = mapped_column(String(32))
    visibility: Mapped[Visibility] = mapped_column(enum_column(Visibility))
    description: Mapped[str] = mapped_column(Text, default="")
