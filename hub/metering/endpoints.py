"""Routes of usage."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Row, Select, select

from hub.access.admission import Caller, keyed_router
from hub.billing.models import CURRENCY, Price
from hub.billing.prices import decimal
from hub.errors import Forbidden, NotFound
from hub.http.pages import Page, Paging
from hub.http.sessions import Reading
from hub.metering.models import UsageRecord
from hub.metering.schemas import UnitLine, UsageOut
from registry.database import ReadSession
from registry.tables import Model, Version

router = keyed_router("Usage")


@router.get("/v1/requests", summary="List calls and what they cost")
async def list_requests(caller: Caller, session: Reading, window: Paging) -> Page[UsageOut]:
    """The tenant's answered calls, newest first."""
    query = _calls(_tenant(caller.tenant_id)).order_by(UsageRecord.id.desc()).limit(window.fetch)
    if window.after is not None:
        query = query.where(UsageRecord.id < window.after)
    rows = (await session.execute(query)).all()
    prices = await _prices(session, rows)
    return window.page(rows, lambda row: _show(row, prices))


@router.get("/v1/requests/{request_id}", summary="What a call cost, and why")
async def get_request(request_id: UUID, caller: Caller, session: Reading) -> UsageOut:
    """An answered call by the `id` of its answer: its units, and the prices it was charged with."""
    query = _calls(_tenant(caller.tenant_id)).where(UsageRecord.id == request_id)
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFound("There is no such call.", param="request_id")
    return _show(row, await _prices(session, [row]))


def _tenant(tenant_id: UUID | None) -> UUID:
    if tenant_id is None:
        raise Forbidden("A platform key has no usage of its own.", remedy="Use a key of the tenant.")
    return tenant_id


def _calls(tenant_id: UUID) -> Select[UsageRecord, str, int]:
    return (
        select(UsageRecord, Model.name, Version.number)
        .join(Version, Version.id == UsageRecord.version_id)
        .join(Model, Model.id == Version.model_id)
        .where(UsageRecord.tenant_id == tenant_id)
    )


async def _prices(session: ReadSession, rows: Sequence[Row[UsageRecord, str, int]]) -> dict[UUID, Price]:
    ids = {price_id for record, _, _ in rows for price_id in record.price_ids}
    return {price.id: price for price in await session.scalars(select(Price).where(Price.id.in_(ids)))}


def _show(row: Row[UsageRecord, str, int], prices: dict[UUID, Price]) -> UsageOut:
    record, model, number = row
    by_unit = {prices[price_id].unit: prices[price_id] for price_id in record.price_ids}
    lines = []
    for unit, count in record.units.items():
        price = by_unit.get(unit)
        lines.append(
            UnitLine(
                unit=unit,
                count=count,
                nano_price=price.nano_amount if price else None,
                price_id=price.id if price else None,
            )
        )
    return UsageOut(
        id=record.id,
        model=model,
        version=number,
        key_id=record.key_id,
        created_at=record.created_at,
        units=lines,
        cost=decimal(record.nano_charge),
        nano_cost=record.nano_charge,
        currency=CURRENCY,
    )
