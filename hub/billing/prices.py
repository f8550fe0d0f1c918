"""Setting prices, and what a call costs under them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select

from hub.billing.models import NANO_PER_UNIT, Price
from hub.errors import Unprocessable
from registry.database import ReadSession, WriteSession
from registry.spec.task import Task

MAX_NANO_AMOUNT = 100 * NANO_PER_UNIT
"""A hundred dollars a unit: far above any price, and 2,048 texts of 8,192 tokens at it are a fifth of a BIGINT."""


@dataclass(frozen=True)
class UnitPrice:
    """A price in force."""

    id: UUID
    nano_amount: int


PriceList = Mapping[str, UnitPrice]
"""The prices in force of one model, by unit."""


def check_complete(task: Task, prices: Mapping[str, int]) -> None:
    """Raises `Unprocessable` unless `prices` names exactly the units `task` bills: none is free by omission."""
    missing = [unit for unit in task.billed_units if unit not in prices]
    unknown = [unit for unit in prices if unit not in task.billed_units]
    if missing or unknown:
        wrong = [f"{unit} has none" for unit in missing] + [f"{unit} is not billed" for unit in unknown]
        raise Unprocessable(
            f"A model for {task.name} needs a price for each of {', '.join(task.billed_units)}: {', '.join(wrong)}.",
            param="prices",
            reason="no_price",
            remedy="Give each billed unit its price in nano-dollars; 0 is a price.",
        )


def set_prices(session: WriteSession, model_id: UUID, prices: Mapping[str, int]) -> None:
    """Put prices (nano-units of the currency for one unit) into force from now on."""
    session.add_all(Price(model_id=model_id, unit=unit, nano_amount=amount) for unit, amount in prices.items())


async def prices_in_force(session: ReadSession, model_ids: Collection[UUID]) -> dict[UUID, dict[str, UnitPrice]]:
    """The newest price of each unit that has begun by the database's clock, for each of the models."""
    rows = await session.scalars(
        select(Price)
        .distinct(Price.model_id, Price.unit)
        .where(Price.model_id.in_(model_ids), Price.effective_from <= func.now())
        .order_by(Price.model_id, Price.unit, Price.effective_from.desc())
    )
    in_force: dict[UUID, dict[str, UnitPrice]] = {model_id: {} for model_id in model_ids}
    for price in rows:
        in_force[price.model_id][price.unit] = UnitPrice(price.id, price.nano_amount)
    return in_force


def charge(units: Mapping[str, int], prices: PriceList) -> int:
    """Units × price in nano-units; a unit without a price is not billed (see `Unit.billed`)."""
    return sum(count * prices[unit].nano_amount for unit, count in units.items() if unit in prices)


def decimal(nano_amount: int) -> str:
    """Nano-units as a decimal number without loss: 1500 is `0.000001500`."""
    whole, fraction = divmod(abs(nano_amount), NANO_PER_UNIT)
    return f"{'-' if nano_amount < 0 else ''}{whole}.{fraction:09d}"
