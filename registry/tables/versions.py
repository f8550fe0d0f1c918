"""Versions: what was handed in, what came out of the conversion, and how far it got."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Float, ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from registry.database import Base, Created, Identified
from registry.spec.certificate import Precision
from registry.tables.columns import enum_column
from registry.tables.models import Model


class VersionState(StrEnum):
    """registered → converting → certified | rejected → published → retired; `failed` is a conversion that broke."""

    REGISTERED = "registered"
    CONVERTING = "converting"
    CERTIFIED = "certified"
    REJECTED = "rejected"
    FAILED = "failed"
    PUBLISHED = "published"
    RETIRED = "retired"


class Version(Identified, Created, Base):
    """One version of a model. `serving_name` is the opaque name under which Triton knows it.

    `budget` are bounds of the task's criteria by name, `time_limit` seconds of the search. `source_uri` is where MLflow
    has the source, None where its files were uploaded.
    """

    __tablename__ = "versions"
    __table_args__ = (
        UniqueConstraint("model_id", "number"),
        CheckConstraint(
            "state not in ('certified', 'published', 'retired') "
            "or coalesce(certificate ->> 'verdict', '') = 'certified'",
            name="servable_only_with_certificate",
        ),
    )

    model_id: Mapped[UUID] = mapped_column(ForeignKey("models.id"))
    number: Mapped[int] = mapped_column(Integer)
    state: Mapped[VersionState] = mapped_column(enum_column(VersionState))
    precision: Mapped[Precision] = mapped_column(enum_column(Precision))
    budget: Mapped[dict[str, float]] = mapped_column(default=dict)
    time_limit: Mapped[float | None] = mapped_column(Float)
    source_uri: Mapped[str | None] = mapped_column(String(1024))
    serving_name: Mapped[str] = mapped_column(String(63), unique=True)
    certificate: Mapped[dict[str, Any] | None]
    signature: Mapped[dict[str, Any] | None]
    max_batch: Mapped[int | None] = mapped_column(Integer)
    runtime_hash: Mapped[str | None] = mapped_column(String(64))
    failure: Mapped[dict[str, Any] | None]
    published_at: Mapped[datetime | None]

    model: Mapped[Model] = relationship(lazy="raise")
    files: Mapped[list[VersionFile]] = relationship(lazy="raise", order_by="VersionFile.path")


class FileRole(StrEnum):
    """What a file of a version is for."""

    SOURCE = "source"
    CANONICAL = "canonical"
    SERVED = "served"
    PROBE = "probe"
    CONVERSION = "conversion"
    CERTIFICATE = "certificate"


class VersionFile(Base):
    """A file of a version, in the artefact store under its hash."""

    __tablename__ = "version_files"

    version_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id"), primary_key=True)
    role: Mapped[FileRole] = mapped_column(enum_column(FileRole), primary_key=True)
    path: Mapped[str] = mapped_column(String(255), primary_key=True)
    sha256: Mapped[str] = mapped_column(ForeignKey("artefacts.sha256"))
