"""The cache behind keys and routes: never older than promised, one load at a time, no error kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable

import pytest

from hub.refreshing_cache import RefreshingCache


class _Source:
    """Something that changes: each load answers with the time it was asked at."""

    def __init__(self) -> None:
        self.loads = 0
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def load(self, key: Hashable) -> tuple[Hashable, float]:
        self.loads += 1
        asked = time.monotonic()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return key, asked


async def test_a_value_is_never_older_than_promised() -> None:
    source = _Source()
    cache = RefreshingCache(source.load, fresh=0.02, stale=0.05, size=10)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        asked_before = time.monotonic()
        _, loaded = await cache.get("key")
        assert loaded >= asked_before - 0.05
        await asyncio.sleep(0.003)
    assert source.loads > 5


async def test_a_value_is_as_old_as_its_question_however_long_the_answer_takes() -> None:
    source = _Source()
    cache = RefreshingCache(source.load, fresh=0.05, stale=0.1, size=10)
    source.gate.clear()
    loading = asyncio.create_task(cache.get("key"))
    await asyncio.sleep(0.15)
    source.gate.set()
    await loading
    assert cache.peek("key") is None


async def test_callers_at_once_share_one_load() -> None:
    source = _Source()
    cache = RefreshingCache(source.load, fresh=10, stale=10, size=10)
    source.gate.clear()
    callers = [asyncio.create_task(cache.get("key")) for _ in range(50)]
    await asyncio.sleep(0)
    source.gate.set()
    assert len(set(await asyncio.gather(*callers))) == 1
    assert source.loads == 1


async def test_a_caller_that_goes_away_does_not_take_the_others_with_it() -> None:
    source = _Source()
    cache = RefreshingCache(source.load, fresh=10, stale=10, size=10)
    source.gate.clear()
    leaving, staying = (asyncio.create_task(cache.get("key")) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.sleep(0)
    source.gate.set()
    assert (await staying)[0] == "key"


async def test_a_load_that_fails_is_told_and_not_kept() -> None:
    source = _Source()
    cache = RefreshingCache(source.load, fresh=10, stale=10, size=10)
    source.error = LookupError("not there")
    for _ in range(2):
        with pytest.raises(LookupError):
            await cache.get("key")
    source.error = None
    assert (await cache.get("key"))[0] == "key"
    assert source.loads == 3


async def test_a_refresh_that_fails_takes_the_value_away() -> None:
    source = _Source()
    cache = RefreshingCache(source.load, fresh=0.0, stale=10, size=10)
    await cache.get("key")
    source.error = LookupError("revoked")
    assert (await cache.get("key"))[0] == "key"  # the old value, while the refresh runs
    await asyncio.sleep(0.01)
    with pytest.raises(LookupError):
        await cache.get("key")


async def test_a_value_in_steady_use_is_refreshed_without_waiting() -> None:
    source = _Source()
    cache = RefreshingCache(source.load, fresh=0.0, stale=10, size=10)
    _, first = await cache.get("key")
    source.gate.clear()
    await asyncio.sleep(0.001)
    assert await cache.get("key") == ("key", first)
    source.gate.set()
    await asyncio.sleep(0.01)
    held = cache.peek("key")
    assert held is not None
    assert held[0][1] > first


async def test_no_more_values_are_held_than_allowed() -> None:
    source = _Source()
    cache = RefreshingCache(source.load, fresh=10, stale=10, size=3)
    for number in range(5):
        await cache.get(number)
    assert [number for number in range(5) if cache.peek(number)] == [2, 3, 4]


async def test_a_forgotten_value_is_loaded_again() -> None:
    source = _Source()
    cache = RefreshingCache(source.load, fresh=10, stale=10, size=3)
    await cache.get("key")
    cache.forget("key")
    await cache.get("key")
    assert source.loads == 2
