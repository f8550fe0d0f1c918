"""The embedded Triton: on loopback ports of this run, every API but health behind a key of this run."""

from __future__ import annotations

import asyncio
import signal

from hub.embedded.child import Launch
from hub.embedded.directory import DataDirectory
from hub.embedded.errors import CannotStart
from hub.embedded.health import check_triton
from triton_repo.embedded import EmbeddedTriton
from triton_repo.errors import EmbeddedUnavailable


class TritonServer:
    """A Triton on `data`/repository. The ports stay for all of a run, so that a restarted Triton is found again."""

    name = "Triton"
    start_seconds = 90.0

    def __init__(self, data: DataDirectory, grpc_port: int, metrics_port: int, key: str) -> None:
        self._data = data
        self._key = key
        self._server = EmbeddedTriton(
            directory=data.triton,
            repository=data.repository,
            grpc_port=grpc_port,
            metrics_port=metrics_port,
            http_port=None,
            key=key,
        )

    @property
    def address(self) -> str:
        """Its gRPC address."""
        return self._server.address

    async def launch(self) -> Launch:
        """Lay out its files and remove the shared memory of a server that was killed."""
        try:
            launch = await asyncio.to_thread(self._server.prepare)
        except EmbeddedUnavailable as error:
            raise CannotStart(error.message, error.remedy) from error
        self.remove_shared_memory()
        return Launch(
            command=tuple(launch.argv),
            environment=launch.environment,
            directory=self._data.triton,
            # With the supervisor gone, nobody is left to finish requests for.
            orphan_signal=signal.SIGKILL,
            grace=20,
        )

    async def check(self) -> str:
        """Its version, once it is ready."""
        return await check_triton(self.address, self._key)

    def remove_shared_memory(self) -> None:
        """Remove what a killed server left in /dev/shm; only while it does not run."""
        self._server.remove_shared_memory()
