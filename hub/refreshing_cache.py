"""A cache that never answers with anything older than it promises, and rarely makes a caller wait."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class RefreshingCache(Generic[Key, Value]):
    """Values loaded by key, at most `stale` seconds old when they are given out.

    A value that is asked for after `fresh` seconds is loaded again behind the caller's back, so that keys in steady use
    never wait. Callers that ask for the same missing key at once share one load. A load that fails is not kept.
    """

    def __init__(self, load: Callable[[Key], Awaitable[Value]], *, fresh: float, stale: float, size: int) -> None:
        self._load = load
        self._fresh = fresh
        self._stale = stale
        self._size = size
        self._values: OrderedDict[Key, tuple[float, Value]] = OrderedDict()
        self._loading: dict[Key, asyncio.Task[Value]] = {}

    async def get(self, key: Key) -> Value:
        """The value, at most `stale` seconds old. Raises what the load raises."""
        held = self.peek(key)
        if held is not None:
            return held[0]
        return await asyncio.shield(self._start(key))

    def peek(self, key: Key) -> tuple[Value] | None:
        """The value where one is held that is young enough, without waiting; a refresh may be started."""
        held = self._values.get(key)
        if held is None:
            return None
        age = time.monotonic() - held[0]
        if age > self._stale:
            return None
        if age > self._fresh:
            self._start(key)
        return (held[1],)

    def forget(self, key: Key) -> None:
        """Drop a value, so that the next caller waits for a new one."""
        self._values.pop(key, None)

    def _start(self, key: Key) -> asyncio.Task[Value]:
        task = self._loading.get(key)
        if task is None:
            task = self._loading[key] = asyncio.create_task(self._run(key))
            task.add_done_callback(_retrieve)
        return task

    async def _run(self, key: Key) -> Value:
        asked = time.monotonic()  # before the load: the value is as old as the question
        try:
            value = await self._load(key)
        except Exception:
            self._values.pop(key, None)
            raise
        finally:
            self._loading.pop(key, None)
        self._values[key] = (asked, value)
        self._values.move_to_end(key)
        while len(self._values) > self._size:
            self._values.popitem(last=False)
        return value


def _retrieve(task: asyncio.Task[Value]) -> None:
    """A background refresh that failed has told nobody yet; the next caller loads again and hears of it."""
    if not task.cancelled():
        task.exception()
