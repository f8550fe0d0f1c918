"""Whether the parts the hub stands on are there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from hub.serving.pool import TritonPool
from hub.serving.reconciler import Reconciler
from registry.database import Database

_SECONDS = 2.0


class Health:
    """Asks each dependency, all at once."""

    def __init__(self, database: Database, redis: Redis, pool: TritonPool, reconciler: Reconciler) -> None:
        self._database = database
        self._redis = redis
        self._pool = pool
        self._reconciler = reconciler

    async def check(self) -> dict[str, str]:
        """Each part with `ready` or what is wrong with it."""
        names = ("postgresql", "redis", "triton", "models")
        checks = (self._postgresql(), self._ping(), self._triton(), self._models())
        return dict(zip(names, await asyncio.gather(*map(_within, checks)), strict=True))

    async def _postgresql(self) -> str:
        try:
            async with self._database.read() as session:
                await session.execute(text("select 1"))
        except (SQLAlchemyError, OSError):
            return "does not answer"
        return "ready"

    async def _ping(self) -> str:
        try:
            await self._redis.ping()
        except (RedisError, OSError):
            return "does not answer"
        return "ready"

    async def _triton(self) -> str:
        answers = await asyncio.gather(*(server.control.server_ready() for server in self._pool.servers))
        silent = [
            server.control.address for server, ready in zip(self._pool.servers, answers, strict=True) if not ready
        ]
        return f"does not answer: {', '.join(silent)}" if silent else "ready"

    async def _models(self) -> str:
        return "ready" if self._reconciler.complete else "not every published version is loaded"


async def _within(check: Awaitable[str]) -> str:
    try:
        return await asyncio.wait_for(check, _SECONDS)
    except TimeoutError:
        return "does not answer in time"
