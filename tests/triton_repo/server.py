"""A real Triton for the tests: started on free ports, in a directory of its own, and gone at the end."""

import asyncio
import signal
import socket
from asyncio.subprocess import Process
from dataclasses import dataclass, field
from pathlib import Path

from registry.spec.signature import Signature
from triton_repo.config import ModelConfig
from triton_repo.control import TritonControl
from triton_repo.embedded import EmbeddedTriton
from triton_repo.publish import publish

KEY = "a-key-of-the-tests"


@dataclass
class Server:
    """An embedded Triton and its process."""

    embedded: EmbeddedTriton
    process: Process = field(init=False)
    control: TritonControl = field(init=False)

    @property
    def repository(self) -> Path:
        return self.embedded.repository

    @property
    def log(self) -> Path:
        return self.embedded.directory / "triton.log"

    async def start(self) -> None:
        self.embedded.remove_shared_memory()
        launch = self.embedded.prepare()
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *launch.argv, env=launch.environment, stdout=log, stderr=log
            )
        self.control = TritonControl(self.embedded.address, self.embedded.key)
        while not await self.control.server_ready():
            assert self.process.returncode is None, self.log.read_text()
            await asyncio.sleep(0.05)

    async def stop(self, signal_number: int = signal.SIGTERM) -> None:
        await self.control.close()
        self.process.send_signal(signal_number)
        await self.process.wait()

    async def serve(self, name: str, model: Path, signature: Signature, max_batch: int = 32, **settings: int) -> None:
        config = ModelConfig(name, signature, max_batch, parameters={"threads": "1"}, **settings)
        publish(self.repository, model, config)
        await self.control.load(name)


def server_in(directory: Path) -> Server:
    """A server on ports that are free now."""
    with socket.socket() as a, socket.socket() as b, socket.socket() as c:
        for listener in (a, b, c):
            listener.bind(("127.0.0.1", 0))
        grpc_port, metrics_port, http_port = (listener.getsockname()[1] for listener in (a, b, c))
    directory.mkdir(parents=True, exist_ok=True)
    return Server(EmbeddedTriton(directory, directory / "models", grpc_port, metrics_port, http_port, KEY))
