"""Files by content."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base, Created


class Artefact(Created, Base):
    """A file in the artefact store, known by the SHA-256 of its content."""

    __tablename__ = "artefacts"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    bytes: Mapped[int] = mapped_column(BigInteger)


class ArtefactOwner(Created, Base):
    """A tenant that uploaded a file; knowing a hash alone gives nobody the content."""

    __tablename__ = "artefact_owners"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(ForeignKey("artefacts.sha256"), primary_key=True)
