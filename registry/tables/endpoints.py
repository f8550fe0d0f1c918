"""Where a name points: an endpoint is a model and an alias, and its route says which versions answer."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from registry.database import Base, Created, Identified


class Endpoint(Identified, Created, Base):
    """A model under an alias; `revision` names the route in force, so that promote and roll back are one write."""

    __tablename__ = "endpoints"
    __table_args__ = (UniqueConstraint("model_id", "alias"),)

    model_id: Mapped[UUID] = mapped_column(ForeignKey("models.id"))
    alias: Mapped[str] = mapped_column(String(63))
    revision: Mapped[int] = mapped_column(Integer)


class Route(Created, Base):
    """One change of an endpoint's route; never updated, so the table is the history."""

    __tablename__ = "routes"

    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("endpoints.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True)
    mirror_id: Mapped[UUID | None] = mapped_column(ForeignKey("versions.id"))
    changed_by: Mapped[str] = mapped_column(String(63))
    reason: Mapped[str] = mapped_column(Text)

    targets: Mapped[list[RouteTarget]] = relationship(lazy="raise")


class RouteTarget(Base):
    """A version's share of a route's traffic, as a weight among the route's targets."""

    __tablename__ = "route_targets"
    __table_args__ = (
        ForeignKeyConstraint(["endpoint_id", "revision"], ["routes.endpoint_id", "routes.revision"]),
        CheckConstraint("weight > 0", name="weight_positive"),
    )

    endpoint_id: Mapped[UUID] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True)
    version_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id"), primary_key=True)
    weight: Mapped[int] = mapped_column(Integer)
