"""MLflow from asyncio: its calls block for as long as they like, so they run in a process that can be ended."""

from __future__ import annotations

import asyncio
import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeVar

from registry.tracking import (
    ConversionFailure,
    ConversionRecord,
    Fetched,
    Tracking,
    TrackingError,
    TrackingFailed,
    TrackingUnreachable,
    fetch,
    record,
)

_T = TypeVar("_T")

RECORD_SECONDS = 300.0
"""A run has some MB: a server that takes longer is stuck, and its conversion has been paid for already."""

_LEAVE_SECONDS = 2.0  # for what it was writing to be cleared away
_PR_SET_PDEATHSIG = 1


class TrackingProcess:
    """Calls of `registry.tracking`, one at a time. The process is started by the first and kept for the next.

    A call that is cancelled or out of time ends it, and nothing of it goes on afterwards.
    """

    def __init__(self, tracking: Tracking, fetch_seconds: float) -> None:
        self._tracking = tracking
        self._fetch_seconds = fetch_seconds
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None

    async def fetch(self, uri: str, target: Path, tenant: str | None) -> Fetched:
        """As `registry.tracking.fetch`, with its errors, and TrackingUnreachable where it takes too long."""
        remedy = "Try again when it is less busy; the operator can raise CONCH_CONVERSION_SECONDS."
        return await self._call(self._fetch_seconds, remedy, _fetch, uri, self._tracking.uri, target, tenant)

    async def record(self, conversion: ConversionRecord | ConversionFailure) -> str:
        """As `registry.tracking.record`, with its errors, and TrackingUnreachable where it takes too long."""
        remedy = "Look into the server's log: it is stuck, or cannot store the run's artefacts."
        return await self._call(RECORD_SECONDS, remedy, record, conversion, self._tracking)

    async def close(self) -> None:
        """End the process; harmless where there is none."""
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if process is not None and connection is not None:
            await asyncio.shield(asyncio.to_thread(_end, process, connection))

    async def _call(self, seconds: float, remedy: str, function: Callable[..., _T], *arguments: object) -> _T:
        """The answer of `function`; `remedy` is what to do where it takes longer than `seconds`."""
        connection = await self._connected()
        try:
            async with asyncio.timeout(seconds):
                await asyncio.to_thread(connection.send, (function, arguments))
                await _readable(connection)
                returned, value = connection.recv()
        except TimeoutError as error:
            await self.close()
            raise TrackingUnreachable(f"MLflow took longer than the {seconds:g} s that it has.", remedy) from error
        except (EOFError, OSError) as error:
            await self.close()
            raise TrackingFailed(
                "The process that speaks to MLflow broke.", "Look into the worker's log, then try again."
            ) from error
        except BaseException:
            await self.close()
            raise
        if not returned:
            raise value
        result: _T = value
        return result

    async def _connected(self) -> Connection:
        if self._process is not None and not self._process.is_alive():  # killed while idle, for its memory say
            await self.close()
        return self._connection or self._start()

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")  # fork would take the event loop and its connections along
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, os.getpid()), name="mlflow", daemon=True)
        process.start()
        theirs.close()
        self._process, self._connection = process, ours
        return ours


def _fetch(uri: str, tracking_uri: str, target: Path, tenant: str | None) -> Fetched:
    return fetch(uri, tracking_uri, target, tenant=tenant)


async def _readable(connection: Connection) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(connection.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection.fileno())


def _end(process: BaseProcess, connection: Connection) -> None:
    process.terminate()
    process.join(_LEAVE_SECONDS)
    process.kill()
    process.join()
    connection.close()


def _serve(connection: Connection, parent: int) -> None:
    """The process: answer calls until the parent closes its end, dies or says so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C in the terminal is for the parent
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # temporary files are removed on the way
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        return
    with suppress(EOFError):
        while True:
            function, arguments = connection.recv()
            try:
                answer = (True, function(*arguments))
            except TrackingError as error:
                answer = (False, error)
            connection.send(answer)
