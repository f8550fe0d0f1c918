"""Where an alias points: one write to promote, one to roll back, and a history of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import selectinload

from registry.database import ReadSession, WriteSession
from registry.tables import Endpoint, Route, RouteTarget, Version


async def set_route(
    session: WriteSession, model_id: UUID, alias: str, weights: Mapping[UUID, int], changed_by: str, reason: str
) -> Route:
    """Point an alias at versions from the commit of this transaction on; the endpoint is made where it is new."""
    endpoint_id, revision = (
        await session.execute(
            insert(Endpoint)
            .values(model_id=model_id, alias=alias, revision=1)
            .on_conflict_do_update(
                index_elements=[Endpoint.model_id, Endpoint.alias], set_={"revision": Endpoint.revision + 1}
            )
            .returning(Endpoint.id, Endpoint.revision)
        )
    ).one()
    route = Route(endpoint_id=endpoint_id, revision=revision, changed_by=changed_by, reason=reason)
    route.targets = [RouteTarget(version_id=version, weight=weight) for version, weight in weights.items()]
    session.add(route)
    await session.flush()
    await session.refresh(route, ["created_at"])
    return route


async def has_route(session: ReadSession, model_id: UUID, alias: str) -> bool:
    """Whether an alias points anywhere."""
    found = select(Endpoint.id).where(Endpoint.model_id == model_id, Endpoint.alias == alias)
    return await session.scalar(found) is not None


async def current_targets(session: ReadSession, model_id: UUID, alias: str) -> Sequence[Row[Version, int]]:
    """The versions an alias points at, with their weights."""
    rows = await session.execute(
        select(Version, RouteTarget.weight)
        .join(RouteTarget, RouteTarget.version_id == Version.id)
        .join(
            Endpoint,
            (Endpoint.id == RouteTarget.endpoint_id) & (Endpoint.revision == RouteTarget.revision),
        )
        .where(Endpoint.model_id == model_id, Endpoint.alias == alias)
        .order_by(Version.number)
    )
    return rows.all()


async def history(session: ReadSession, model_id: UUID, alias: str, limit: int) -> Sequence[Route]:
    """The changes of an alias's route, newest first, with their targets."""
    rows = await session.scalars(
        select(Route)
        .join(Endpoint, Endpoint.id == Route.endpoint_id)
        .where(Endpoint.model_id == model_id, Endpoint.alias == alias)
        .order_by(Route.revision.desc())
        .limit(limit)
        .options(selectinload(Route.targets))
    )
    return rows.all()


async def numbers(session: ReadSession, model_id: UUID) -> dict[UUID, int]:
    """The numbers of a model's versions by id."""
    rows = await session.execute(select(Version.id, Version.number).where(Version.model_id == model_id))
    return {row.id: row.number for row in rows}
