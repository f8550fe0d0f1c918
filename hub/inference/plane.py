"""The one call path: authenticate and admit → resolve → infer → meter. Every protocol goes through here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from hub.access.principal import Principal, Scope
from hub.billing.prices import charge, decimal
from hub.inference.coalescer import Coalescer
from hub.inference.resolver import Resolver, Target
from hub.inference.rows import Answer, Row, RowShapes
from hub.metering.meter import Meter
from hub.metering.statement import Call
from hub.observability.metrics import Metrics

REQUEST_SECONDS = 300.0
"""How long a request may take where the caller names no deadline."""


@dataclass(frozen=True)
class Invocation:
    """An answered call: the rows, what they consumed in sum, and what that costs in nano-units."""

    target: Target
    answer: Answer
    units: Mapping[str, int]
    nano_charge: int

    @property
    def cost(self) -> str:
        """The charge as a decimal number of the currency."""
        return decimal(self.nano_charge)


class InferencePlane:
    """Runs calls of admitted principals and books them before they are answered."""

    def __init__(self, resolver: Resolver, coalescer: Coalescer, meter: Meter, metrics: Metrics) -> None:
        self._resolver = resolver
        self._coalescer = coalescer
        self._meter = meter
        self._metrics = metrics

    async def resolve(self, principal: Principal, name: str) -> Target:
        """The version a name means to the caller now. Raises `Forbidden`, `NotFound` or `Unavailable`."""
        return await self._resolver.resolve(principal.require(Scope.INFER), name)

    async def infer(
        self, principal: Principal, request_id: UUID, target: Target, shapes: RowShapes, rows: Sequence[Row]
    ) -> Invocation:
        """Run `rows` on `target` and return when the answer has been booked: usage and charge are committed.

        Raises `Unprocessable` or `Unavailable`; then nothing is booked.
        """
        answer = await self._coalescer.infer(target, shapes, rows, REQUEST_SECONDS)
        units = {
            unit.name: sum(counts[column] for counts in answer.usage) for column, unit in enumerate(target.task.units)
        }
        nano_charge = charge(units, target.prices)
        await self._meter.book(
            Call(
                id=request_id,
                tenant_id=principal.require(Scope.INFER),
                key_id=principal.key_id,
                version_id=target.version_id,
                units=units,
                price_ids=target.price_ids,
                nano_charge=nano_charge,
            )
        )
        self._metrics.called(target.model, units, nano_charge, len(rows), answer.seconds)
        return Invocation(target, answer, units, nano_charge)
