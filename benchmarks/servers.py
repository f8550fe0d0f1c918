"""What is compared: a whole Conch as `conch up` starts it, and a bare Triton with the same runtime and FP32 models."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.models import Converted
from hub.client import Conch, JobEnd
from triton_repo.config import ModelConfig
from triton_repo.control import TritonControl
from triton_repo.embedded import EmbeddedTriton
from triton_repo.publish import publish

_START_SECONDS = 30


@dataclass(frozen=True)
class Hub:
    """A running Conch: its address, the demo tenant's key, and its processes by part."""

    url: str
    key: str
    pids: Mapping[str, int]


@dataclass(frozen=True)
class Bare:
    """A running Triton without anything before it."""

    http_url: str
    grpc_address: str
    pid: int


@contextmanager
def conch(data: Path, tiny: Path) -> Iterator[Hub]:
    """A Conch on `data` with the sample and the tiny model; what an earlier run converted is used again."""
    command = [sys.executable, "-m", "hub"]
    started = time.perf_counter()
    subprocess.run([*command, "up", "--detach", "--data", str(data), "--port", str(free_port())], check=True)
    print(f"conch up: {time.perf_counter() - started:.1f} s")
    try:
        bootstrap = json.loads((data / "bootstrap.json").read_text(encoding="utf-8"))
        _register_tiny(bootstrap["url"], bootstrap["demo_key"], tiny)
        said = subprocess.run(
            [*command, "status", "--json", "--data", str(data)], check=True, capture_output=True, text=True
        )
        pids = {part["name"]: part["pid"] for part in json.loads(said.stdout)["parts"]}
        yield Hub(bootstrap["url"], bootstrap["demo_key"], pids)
    finally:
        subprocess.run([*command, "down", "--data", str(data)], check=True)


@contextmanager
def bare_triton(directory: Path, models: Mapping[str, Converted]) -> Iterator[Bare]:
    """A Triton with HTTP and gRPC open on loopback, serving `models` under their names with all cores."""
    repository = directory / "repository"
    for name, model in models.items():
        publish(repository, model.directory, _config(name, model))
    http_port, grpc_port = free_port(), free_port()
    triton = EmbeddedTriton(directory / "server", repository, grpc_port, free_port(), http_port, key=None)
    launch = triton.prepare()
    with (directory / "triton.log").open("wb") as log:
        process = subprocess.Popen(launch.argv, env=launch.environment, stderr=log, stdout=log)
    try:
        asyncio.run(_load(triton.address, models))
        yield Bare(f"http://127.0.0.1:{http_port}", triton.address, process.pid)
    finally:
        process.terminate()
        process.wait()
        triton.remove_shared_memory()


def free_port() -> int:
    """A port of loopback that nobody has at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _config(name: str, model: Converted) -> ModelConfig:
    return ModelConfig(
        name=name,
        signature=model.signature,
        max_batch=model.max_batch,
        instances=1,
        parameters={"threads": str(len(os.sched_getaffinity(0)))},
    )


async def _load(address: str, models: Mapping[str, Converted]) -> None:
    control = TritonControl(address, None)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not await control.server_ready():
            if time.monotonic() > deadline:
                raise TimeoutError(f"Triton at {address} is not ready after {_START_SECONDS} s")
            await asyncio.sleep(0.1)
        for name in models:
            await control.load(name)
    finally:
        await control.close()


def _register_tiny(url: str, key: str, tiny: Path) -> None:
    with Conch(url, key) as client:
        if any(model["id"] == "tiny" for model in client.models()):
            return
        client.register_model("tiny", "tensor", {"requests": 1000})
        version = client.create_version("tiny", client.upload_directory(tiny))
        for event in client.watch_job(version["job_id"]):
            if isinstance(event, JobEnd) and event.outcome != "published":
                raise RuntimeError(f"the tiny model was {event.outcome}: {event.message}")
