"""One part under supervision: started, waited for, started again when it dies, stopped."""

from __future__ import annotations

import asyncio
import logging
import time

from hub.embedded.child import Child, describe_exit
from hub.embedded.directory import DataDirectory
from hub.embedded.errors import CannotStart, NotReady
from hub.embedded.part import Part

logger = logging.getLogger("conch.supervisor")

POLL_SECONDS = 0.1
FIRST_PAUSE_SECONDS = 0.2  # a single death costs hardly more than the start itself
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0  # a process that ran for so long starts again with the shortest pause


class Supervised:
    """A part and its process. `file_name` names its log and its record."""

    def __init__(self, part: Part, file_name: str, data: DataDirectory) -> None:
        self.part = part
        self.restarts = 0
        self._file_name = file_name
        self._data = data
        self._child: Child | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs here."""
        return self._child.pid if self._child is not None else None

    async def start(self) -> str:
        """Start it, wait until it is healthy, return its version, and watch it from now on. Raises CannotStart."""
        version = await self._start_once()
        self._watch = asyncio.create_task(self._restart_when_dead(), name=f"watch {self.part.name}")
        return version

    async def stop(self) -> None:
        """Stop it, whatever it is doing; harmless where it does not run."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
            self._watch = None
        if self._child is not None:
            await self._child.stop()
            self._child = None

    async def _start_once(self) -> str:
        launch = await self.part.launch()
        if launch is None:
            return await self.part.check()
        self._child = Child(self._file_name, launch, self._data)
        self._child.start()
        ended = asyncio.create_task(self._child.wait())
        try:
            return await self._until_healthy(self._child, ended)
        finally:
            ended.cancel()

    async def _until_healthy(self, child: Child, ended: asyncio.Task[int]) -> str:
        deadline = time.monotonic() + self.part.start_seconds
        while True:
            try:
                return await self.part.check()
            except NotReady as error:
                reason = error
            if ended.done():
                raise CannotStart(
                    f"{self.part.name} ended while it was starting ({describe_exit(ended.result())}): "
                    f"{child.last_line().rstrip('.')}.",
                    f"See {child.log}.",
                )
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"{self.part.name} was not ready within {self.part.start_seconds:.0f} s: {reason}.",
                    f"See {child.log}.",
                )
            await asyncio.wait([ended], timeout=POLL_SECONDS)

    async def _restart_when_dead(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while self._child is not None:
            since = time.monotonic()
            status = await self._child.wait()
            if time.monotonic() - since > STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            # What is killed leaves no last word; the line in its log is about something else.
            reason = describe_exit(status) if status < 0 else f"{describe_exit(status)}: {self._child.last_line()}"
            logger.warning("%s ended (%s); starting it again in %.1f s", self.part.name, reason, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            await self._restart()

    async def _restart(self) -> None:
        self.restarts += 1
        begun = time.monotonic()
        try:
            await self._start_once()
        except CannotStart as error:
            logger.warning("%s", error)
            if self._child is not None:
                await self._child.stop()
            return
        logger.warning("%s is back after %.1f s", self.part.name, time.monotonic() - begun)
