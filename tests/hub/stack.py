"""Starting and stopping a whole Conch for tests, as a user would: `conch up --detach`, `conch down`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import onnx
from onnx import TensorProto, helper

from hub.client import Conch, JobEnd

ALL_SCOPES = ["infer", "models", "keys"]


@dataclass(frozen=True)
class Stack:
    """A running Conch."""

    url: str
    admin_key: str
    demo_key: str
    data: Path

    def client(self, key: str) -> httpx.Client:
        """A client with a key."""
        headers = {"authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=120, trust_env=False)

    def parts(self) -> dict[str, dict[str, Any]]:
        """What `conch status` says, by part."""
        said = conch("status", "--json", "--data", str(self.data), check=False)
        return {part["name"]: part for part in json.loads(said.stdout)["parts"]}

    @property
    def database_url(self) -> str:
        """The database as its own role sees it."""
        return f"postgresql://conch@/conch?host={Path(self.parts()['PostgreSQL']['address']).parent}"

    @property
    def redis_url(self) -> str:
        """Redis, over its socket."""
        return f"unix://{self.parts()['Redis']['address']}"

    def new_tenant(self, admin: httpx.Client, name: str) -> str:
        """Make a tenant; a key of it with every scope."""
        assert admin.post("/v1/tenants", json={"name": name}).status_code == 201
        created = admin.post("/v1/keys", json={"name": "test", "tenant": name, "scopes": ALL_SCOPES})
        assert created.status_code == 201, created.text
        secret: str = created.json()["secret"]
        return secret


def conch(*arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line, with settings added to the environment, and wait for it."""
    command = [sys.executable, "-m", "hub", *arguments]
    environ = {**os.environ, **environment}
    return subprocess.run(command, check=check, capture_output=True, text=True, timeout=400, env=environ)


def free_port() -> int:
    """A port of loopback that nobody has at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running_stack(directory: Path, *, sample: bool) -> Iterator[Stack]:
    """A Conch on an empty data directory, with the model `tiny`, and the sample where it is asked for."""
    data = directory / "data"
    start(data, sample=sample)
    try:
        stack = open_stack(data)
        write_tiny(directory / "tiny")
        publish(stack, "tiny", "tensor", {"requests": 1000}, directory / "tiny")
        yield stack
    finally:
        conch("down", "--data", str(data))


def start(data: Path, *, sample: bool, **environment: str) -> None:
    """`conch up` on a data directory, in the background; returns when it is ready."""
    options = [] if sample else ["--no-sample"]
    arguments = ["up", "--detach", "--data", str(data), "--port", str(free_port()), *options]
    started = conch(*arguments, check=False, **environment)
    assert started.returncode == 0, started.stdout + started.stderr


def open_stack(data: Path) -> Stack:
    """The Conch that runs on a data directory."""
    told = json.loads((data / "bootstrap.json").read_text(encoding="utf-8"))
    return Stack(told["url"], told["admin_key"], told["demo_key"], data)


def publish(stack: Stack, name: str, task: str, prices: dict[str, int], directory: Path, **options: str) -> JobEnd:
    """Register the model in `directory` as anybody would and wait for the end of its conversion."""
    with Conch(stack.url, stack.demo_key) as client:
        if not any(model["id"] == name for model in client.models()):
            client.register_model(name, task, prices)
        version = client.create_version(name, client.upload_directory(directory), **options)
        *_, end = client.watch_job(version["job_id"])
    assert isinstance(end, JobEnd)
    return end


def write_tiny(directory: Path) -> None:
    """The ONNX model y = 2x + 1 over rows of four numbers."""
    directory.mkdir(parents=True, exist_ok=True)
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "two"], ["doubled"]), helper.make_node("Add", ["doubled", "one"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 4])],
        [helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in (("two", 2.0), ("one", 1.0))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    model.ir_version = 10
    onnx.save(model, directory / "model.onnx")


def tiny_part(*numbers: float) -> dict[str, Any]:
    """The input of one row of `tiny`."""
    return {"type": "tensor", "name": "x", "datatype": "FP32", "shape": [1, 4], "data": list(numbers)}
