"""Group commit: calls in flight share one transaction, and none is answered before it is committed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import psycopg
from psycopg import AsyncConnection

from hub.errors import Unavailable
from hub.metering.statement import BOOK, Call, parameters

log = logging.getLogger(__name__)

_MAX_CALLS = 512
_PATIENCE_SECONDS = 5.0  # a restart of PostgreSQL takes about two; afterwards callers get a 503 and are not billed
_RETRY_SECONDS = 0.1
_CONNECT_SECONDS = 3
_ONE_PLAN = "-c plan_cache_mode=force_generic_plan"  # planning anew takes longer than the statement itself


class Meter:
    """Books calls on a connection of its own.

    While one transaction is on its way, the calls that come in wait for the next: there is no timer to tune, an idle
    hub commits each call at once and a busy one commits hundreds together.
    """

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._connection: AsyncConnection | None = None
        self._waiting: list[tuple[Call, asyncio.Future[None]]] = []
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to book."""
        self._task = asyncio.create_task(self._run(), name="meter")

    async def stop(self) -> None:
        """Book what is waiting, then close."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task
        await self._disconnect()

    async def book(self, call: Call) -> None:
        """Return when `call` is committed; a caller that goes away meanwhile is billed all the same.

        Raises `Unavailable` where it cannot be committed: then the call must not be answered.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, future))
        self._wake.set()
        await future

    async def _run(self) -> None:
        while self._waiting or not self._stopping:
            await self._wake.wait()
            batch, self._waiting = self._waiting[:_MAX_CALLS], self._waiting[_MAX_CALLS:]
            if not self._waiting:
                self._wake.clear()
            try:
                await self._book(batch)
            except Exception as error:  # a fault of ours: these callers hear of it, the meter goes on for the others
                log.exception("could not book %d calls", len(batch))
                _settle(batch, error)

    async def _book(self, batch: Sequence[tuple[Call, asyncio.Future[None]]]) -> None:
        if not batch:
            return
        try:
            await self._commit([call for call, _ in batch])
        except psycopg.Error as error:
            if len(batch) > 1 and not isinstance(error, psycopg.OperationalError):
                # One bad row must not take its neighbours with it.
                middle = len(batch) // 2
                await self._book(batch[:middle])
                await self._book(batch[middle:])
                return
            log.error("could not book %d calls: %s", len(batch), error)
            _settle(batch, error)
        else:
            _settle(batch, None)

    async def _commit(self, calls: Sequence[Call]) -> None:
        """Commit `calls`, again after a lost connection: what an unknown COMMIT did book is not booked twice."""
        deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        while True:
            try:
                connection = await self._connect()
                await connection.execute(BOOK, parameters(calls))
            except psycopg.OperationalError as error:
                await self._disconnect()
                if asyncio.get_running_loop().time() > deadline:
                    raise
                log.warning("booking again after: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    async def _connect(self) -> AsyncConnection:
        if self._connection is None:
            self._connection = await AsyncConnection.connect(
                self._url, autocommit=True, prepare_threshold=0, options=_ONE_PLAN, connect_timeout=_CONNECT_SECONDS
            )
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _settle(batch: Sequence[tuple[Call, asyncio.Future[None]]], error: Exception | None) -> None:
    for _, future in batch:
        if future.done():  # the caller has gone away; its call is billed all the same
            continue
        if error is None:
            future.set_result(None)
        else:
            away = Unavailable(
                "The call could not be recorded, so it is not answered.", reason="database", retry_after=1
            )
            away.__cause__ = error
            future.set_exception(away)
