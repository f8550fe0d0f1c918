"""Who owns what."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base, Created, Identified


class Tenant(Identified, Created, Base):
    """A customer: every object belongs to one, and every query says so."""

    __tablename__ = "tenants"

    name: Mapped[str] = mapped_column(String(63), unique=True)
