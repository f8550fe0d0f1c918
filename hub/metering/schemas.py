"""Usage as the API shows it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field


class UnitLine(BaseModel):
    """A unit of a call: how many, and at which price each, where the unit is billed."""

    unit: str
    count: int
    nano_price: int | None = Field(description="Nano-units of the currency; null for a unit that is not billed.")
    price_id: UUID | None


class UsageOut(BaseModel):
    """What a call cost and why."""

    id: UUID
    model: str
    version: int
    key_id: UUID
    created_at: datetime
    units: list[UnitLine]
    cost: str = Field(description="Decimal number of the currency.")
    nano_cost: int
    currency: str
