"""The limiter on the real Redis: exactly as many as the rate allows, in the order they came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from hub.access.limiter import Rate, RateExceeded, RequestLimiter
from hub.errors import Unavailable
from tests.hub.stack import Stack


@pytest.fixture(scope="module")
async def redis(stack: Stack) -> AsyncIterator[Redis]:
    client = Redis.from_url(stack.redis_url, socket_timeout=5)
    yield client
    await client.aclose()


async def _burst(limiter: RequestLimiter, key: UUID, limit: int, count: int) -> list[Rate | BaseException]:
    return await asyncio.gather(*(limiter.acquire(key, limit) for _ in range(count)), return_exceptions=True)


@pytest.mark.parametrize("limit", [1, 7, 50])
async def test_a_burst_gets_exactly_its_rate_and_the_first_come_are_served(redis: Redis, limit: int) -> None:
    outcomes = await _burst(RequestLimiter(redis), uuid4(), limit, limit + 20)
    assert all(isinstance(outcome, Rate) for outcome in outcomes[:limit])
    assert all(isinstance(outcome, RateExceeded) for outcome in outcomes[limit:])
    assert [rate.remaining for rate in outcomes[:limit]] == list(range(limit - 1, -1, -1))


async def test_replicas_share_one_count(redis: Redis) -> None:
    key, limiters = uuid4(), [RequestLimiter(redis) for _ in range(3)]
    bursts = await asyncio.gather(*(_burst(limiter, key, 10, 8) for limiter in limiters))
    assert sum(isinstance(outcome, Rate) for burst in bursts for outcome in burst) == 10


async def test_keys_do_not_share_a_count(redis: Redis) -> None:
    limiter = RequestLimiter(redis)
    bursts = await asyncio.gather(*(_burst(limiter, uuid4(), 2, 3) for _ in range(5)))
    assert [sum(isinstance(outcome, Rate) for outcome in burst) for burst in bursts] == [2] * 5


async def test_waiting_as_long_as_told_is_enough(redis: Redis) -> None:
    limiter, key = RequestLimiter(redis), uuid4()
    *_, refused = await _burst(limiter, key, 600, 601)
    assert isinstance(refused, RateExceeded)
    assert refused.retry_after is not None
    assert 0 < refused.retry_after <= 0.1
    await asyncio.sleep(refused.retry_after)
    await limiter.acquire(key, 600)


async def test_a_refused_request_uses_nothing_up(redis: Redis) -> None:
    limiter, key = RequestLimiter(redis), uuid4()
    await _burst(limiter, key, 3, 3)
    waits = []
    for _ in range(3):
        with pytest.raises(RateExceeded) as refused:
            await limiter.acquire(key, 3)
        waits.append(refused.value.retry_after)
    assert waits == sorted(waits, reverse=True)
    assert waits[0] <= 20


async def test_the_count_of_an_idle_key_is_forgotten(redis: Redis) -> None:
    limiter, key = RequestLimiter(redis), uuid4()
    await limiter.acquire(key, 600)
    left = await redis.pttl(f"conch:rate:{{{key.hex}}}")
    assert 0 < left <= 102


async def test_what_cannot_be_counted_is_not_granted() -> None:
    away = Redis.from_url("unix:///nowhere/redis.sock", socket_timeout=1)
    with pytest.raises(Unavailable):
        await RequestLimiter(away).acquire(uuid4(), 10)
    await away.aclose()
