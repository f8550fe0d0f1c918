"""The request rate of keys, counted in Redis and shared by every replica.

Requests of one key that arrive in the same tick of the event loop are asked for in one call: under load the cost of
the limiter is per tick, not per request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.errors import RateLimited, Unavailable

_SCRIPT = files("hub.access").joinpath("gcra.lua").read_text("utf-8")
_PERIOD_US = 60_000_000


@dataclass(frozen=True)
class Rate:
    """Where a key stands after a request was counted. Times in seconds."""

    limit: int
    remaining: int
    reset: float

    def headers(self) -> list[tuple[bytes, bytes]]:
        """OpenAI's header names and the pair of the IETF draft (RateLimit header fields for HTTP)."""
        remaining, reset = str(self.remaining).encode(), f"{self.reset:.3f}s".encode()
        whole = str(max(0, round(self.reset))).encode()
        limit = str(self.limit).encode()
        return [
            (b"x-ratelimit-limit-requests", limit),
            (b"x-ratelimit-remaining-requests", remaining),
            (b"x-ratelimit-reset-requests", reset),
            (b"ratelimit-policy", b'"requests";q=%s;w=60' % limit),
            (b"ratelimit", b'"requests";r=%s;t=%s' % (remaining, whole)),
        ]


class RateExceeded(RateLimited):
    """The key's rate is used up; carries where it stands, for the headers."""

    def __init__(self, rate: Rate, retry_after: float) -> None:
        super().__init__(
            f"This key may make {rate.limit} requests a minute.",
            reason="requests",
            limit_source="key",
            remedy="Wait as long as Retry-After says, or ask for a higher rate.",
            retry_after=retry_after,
        )
        self.rate = rate


@dataclass
class _Waiting:
    limit: int
    futures: list[asyncio.Future[Rate]]


class RequestLimiter:
    """Admits requests under a per-minute rate (GCRA, the whole minute as burst)."""

    def __init__(self, redis: Redis) -> None:
        self._script = redis.register_script(_SCRIPT)
        self._waiting: dict[UUID, _Waiting] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def acquire(self, key_id: UUID, requests_per_minute: int) -> Rate:
        """Count one request of a key.

        Raises `RateExceeded`, or `Unavailable` where Redis cannot be asked: what cannot be checked is not granted.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Rate] = loop.create_future()
        waiting = self._waiting.get(key_id)
        if waiting is None:
            self._waiting[key_id] = _Waiting(requests_per_minute, [future])
            loop.call_soon(self._start, key_id)
        else:
            waiting.futures.append(future)
        return await future

    def _start(self, key_id: UUID) -> None:
        task = asyncio.create_task(self._ask(key_id, self._waiting.pop(key_id)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, key_id: UUID, waiting: _Waiting) -> None:
        count = len(waiting.futures)
        try:
            granted, remaining, reset_us, wait_us = await self._script(
                keys=[f"conch:rate:{{{key_id.hex}}}"], args=[count, waiting.limit, _PERIOD_US]
            )
        except (RedisError, OSError) as error:
            away = Unavailable("Rates cannot be checked at the moment.", reason="redis", retry_after=1)
            away.__cause__ = error
            _settle(waiting.futures, lambda _: away)
            return
        _settle(
            waiting.futures,
            lambda position: _outcome(position, waiting.limit, granted, remaining, reset_us / 1e6, wait_us / 1e6),
        )


def _outcome(position: int, limit: int, granted: int, remaining: int, reset: float, wait: float) -> Rate | RateExceeded:
    """Requests are granted in the order they came; each sees what was left after itself."""
    if position < granted:
        return Rate(limit, remaining + granted - position - 1, reset)
    return RateExceeded(Rate(limit, 0, reset), wait)


def _settle(futures: list[asyncio.Future[Rate]], outcome: Callable[[int], Rate | Exception]) -> None:
    for position, future in enumerate(futures):
        if future.done():  # its caller has gone away
            continue
        result = outcome(position)
        if isinstance(result, Rate):
            future.set_result(result)
        else:
            future.set_exception(result)
