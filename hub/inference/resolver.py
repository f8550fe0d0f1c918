"""From the name a caller gives to a version that serves, its signature and its prices."""

from __future__ import annotations

import random
from dataclasses import dataclass
from uuid import UUID

from hub.billing.prices import PriceList, prices_in_force
from hub.catalogue import repository, routes
from hub.errors import NotFound, Unavailable
from hub.refreshing_cache import RefreshingCache
from registry.database import Database, ReadSession
from registry.spec.names import ModelReference
from registry.spec.signature import Signature
from registry.spec.task import Task
from registry.spec.tasks import TASKS
from registry.tables import Model, Version, VersionState

_ROUTE_SECONDS = 1.0
"""A promotion or a new price is in force everywhere within this time."""


@dataclass(frozen=True)
class Target:
    """A version that can be called. `model` is the name to show."""

    model: str
    model_id: UUID
    version_id: UUID
    number: int
    task: Task
    serving_name: str
    signature: Signature
    max_batch: int
    prices: PriceList
    price_ids: tuple[UUID, ...]


@dataclass(frozen=True)
class _Split:
    targets: tuple[Target, ...]
    weights: tuple[int, ...]


class Resolver:
    """Looks names up and remembers the answer for at most a second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache: RefreshingCache[tuple[UUID, str], _Split] = RefreshingCache(
            self._load, fresh=_ROUTE_SECONDS / 2, stale=_ROUTE_SECONDS, size=10_000
        )

    async def resolve(self, tenant_id: UUID, name: str) -> Target:
        """The version that answers this call, drawn by weight. Raises `NotFound` or `Unavailable`."""
        held = self._cache.peek((tenant_id, name))
        split = held[0] if held is not None else await self._cache.get((tenant_id, name))
        if len(split.targets) == 1:
            return split.targets[0]
        return random.choices(split.targets, split.weights)[0]  # noqa: S311 - a canary's share, not a secret

    async def _load(self, key: tuple[UUID, str]) -> _Split:
        tenant_id, name = key
        reference = ModelReference.parse(name)
        async with self._database.read() as session:
            row = await repository.find_model(session, tenant_id, reference) if reference else None
            if row is None or reference is None:
                raise NotFound(
                    f"There is no model {name!r}.",
                    param="model",
                    reason="model",
                    remedy="GET /v1/models lists the models this key may call.",
                )
            model: Model = row[0]
            versions = await self._versions(session, model, reference)
            prices = (await prices_in_force(session, [model.id]))[model.id]
        targets = tuple(_target(model, version, prices) for version, _ in versions)
        return _Split(targets, tuple(weight for _, weight in versions))

    async def _versions(
        self, session: ReadSession, model: Model, reference: ModelReference
    ) -> list[tuple[Version, int]]:
        if reference.number is not None:
            version = await repository.get_version(session, model.id, reference.number)
            if version is None or version.state is not VersionState.PUBLISHED:
                raise NotFound(
                    f"The model {model.name!r} has no published version {reference.number}.",
                    param="model",
                    reason="version",
                )
            return [(version, 1)]
        assert reference.alias is not None, "a reference without a number has an alias"
        rows = await routes.current_targets(session, model.id, reference.alias)
        if not rows:
            raise _nothing_routed(model, reference.alias)
        return [(version, weight) for version, weight in rows]


def _nothing_routed(model: Model, alias: str) -> NotFound | Unavailable:
    if alias == "default":
        return Unavailable(
            f"The model {model.name!r} has no version that serves yet.",
            param="model",
            reason="not_published",
            remedy="Watch its job: GET /v1/jobs.",
            retry_after=5,
        )
    return NotFound(f"The model {model.name!r} has no alias {alias!r}.", param="model", reason="alias")


def _target(model: Model, version: Version, prices: PriceList) -> Target:
    assert version.signature is not None, "a published version has a signature"
    assert version.max_batch is not None, "a published version has a batch size"
    return Target(
        model=model.name,
        model_id=model.id,
        version_id=version.id,
        number=version.number,
        task=TASKS[model.task],
        serving_name=version.serving_name,
        signature=Signature.from_json(version.signature),
        max_batch=version.max_batch,
        prices=prices,
        price_ids=tuple(price.id for price in prices.values()),
    )
