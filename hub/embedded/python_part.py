"""Conch's own two processes, the hub and the worker, as children of the supervisor."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from hub.embedded.child import Launch
from hub.embedded.errors import NotReady
from hub.embedded.health import check_hub

SETTLED_SECONDS = 1.5  # a worker whose imports or settings are broken has ended by then


@dataclass(frozen=True)
class HubProcess:
    """`conch serve`: the HTTP interface at `url`."""

    url: str
    environment: Mapping[str, str]
    directory: Path
    name: str = "hub"
    start_seconds: float = 60.0

    @property
    def address(self) -> str:
        """The base of every route."""
        return self.url

    async def launch(self) -> Launch:
        """How to start it."""
        return _launch("serve", self.environment, self.directory, grace=30)

    async def check(self) -> str:
        """Its version, once it and all that it depends on are ready."""
        return await check_hub(self.url)


class WorkerProcess:
    """`conch worker`: conversions and what else takes longer than a request."""

    name = "worker"
    address = ""  # it has none: it asks the database for work
    start_seconds = 60.0

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        self._environment = environment
        self._directory = directory
        self._launched = 0.0

    async def launch(self) -> Launch:
        """How to start it."""
        self._launched = time.monotonic()
        return _launch("worker", self._environment, self._directory, grace=15)

    async def check(self) -> str:
        """Conch's version. There is nothing to ask it: it is well when it has run for as long as its imports take."""
        if time.monotonic() - self._launched < SETTLED_SECONDS:
            raise NotReady("it was started a moment ago")
        return version("conch")


def _launch(command: str, environment: Mapping[str, str], directory: Path, grace: float) -> Launch:
    # -P: a directory named hub/ where the process starts must not be taken for the package.
    command_line = (sys.executable, "-P", "-m", "hub", command)
    # gRPC's fork handlers are for children that go on using it; ours are other programs, and each would log a warning.
    return Launch(command_line, {**environment, "GRPC_ENABLE_FORK_SUPPORT": "0"}, directory, grace=grace)
