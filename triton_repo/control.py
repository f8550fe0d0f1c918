"""Triton's control API over gRPC: what is ready, load, unload, count."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc

from triton_repo.errors import KeyRefused, LoadFailed, ModelDied, TritonRepoError, Unreachable

KEY_NAME = "conch-key"
"""The header of Triton's restricted HTTP APIs; over gRPC Triton puts its own prefix before it."""

_GRPC_HEADER = f"triton-grpc-protocol-{KEY_NAME}"
_DIED = re.compile(r"Stub process .*is not healthy")
_TRACEBACK = re.compile(r"\n+At:\n")
_LOCKED = "This protocol is restricted"
_CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", -1),  # the hub bounds what it accepts; here a limit would only cut answers
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),  # the default of two minutes would outlive a restart of Triton
    ("grpc.enable_http_proxy", 0),  # Triton is a neighbour; a proxy of the environment is not on the way
)
_CALL_SECONDS = 10.0  # control calls answer in milliseconds; ten seconds of silence are an outage
_LOAD_SECONDS = 300.0  # the stub's own limit for opening a model is shorter, so Triton's reason arrives first

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class ModelState:
    """What Triton says about a model of its repository; `state` is empty where it was never loaded."""

    state: str
    reason: str

    @property
    def ready(self) -> bool:
        """Whether it serves."""
        return self.state == "READY"


@dataclass(frozen=True)
class Statistics:
    """A model's counters since Triton started it. `inferences` are rows, `executions` are batches; times are in ns."""

    inferences: int
    executions: int
    successes: int
    failures: int
    queue_ns: int
    compute_ns: int


def model_died(details: str) -> bool:
    """Whether an inference failed because the model's process is gone, by its status' `details`; `reload` cures it."""
    return _DIED.search(details) is not None


class TritonControl:
    """One connection to one Triton, to be made inside the event loop that uses it.

    The hub's hot path uses `stub` and `metadata` directly: `await control.stub.ModelInfer(request,
    metadata=control.metadata, timeout=seconds)`.
    """

    def __init__(self, address: str, key: str | None) -> None:
        self.address = address
        self.metadata: tuple[tuple[str, str], ...] = ((_GRPC_HEADER, key),) if key else ()
        self._channel = grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
        self.stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    async def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        await self._channel.close()

    async def server_ready(self) -> bool:
        """Whether Triton answers and says that it is ready; False, never an error, while it does not."""
        try:
            answer = await self.stub.ServerReady(pb.ServerReadyRequest(), timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.ready)

    async def model_ready(self, name: str) -> bool:
        """Whether the model is loaded and serves; False for one that Triton does not know."""
        answer = await self._call(self.stub.ModelReady, pb.ModelReadyRequest(name=name))
        return bool(answer.ready)

    async def index(self) -> dict[str, ModelState]:
        """Every model in the repository, loaded or not."""
        answer = await self._call(self.stub.RepositoryIndex, pb.RepositoryIndexRequest())
        return {model.name: ModelState(model.state, model.reason) for model in answer.models}

    async def load(self, name: str) -> None:
        """Load a published model and return when it serves. Raises LoadFailed with Triton's reason."""
        await self._change(name, self.stub.RepositoryModelLoad, pb.RepositoryModelLoadRequest(model_name=name))

    async def unload(self, name: str) -> None:
        """Stop serving a model; requests in flight are answered first. Raises LoadFailed with Triton's reason."""
        await self._change(name, self.stub.RepositoryModelUnload, pb.RepositoryModelUnloadRequest(model_name=name))

    async def reload(self, name: str) -> None:
        """Start a loaded model anew, which `load` alone does not. Raises LoadFailed with Triton's reason."""
        await self.unload(name)
        await self.load(name)

    async def statistics(self, name: str) -> Statistics:
        """The counters of a loaded model."""
        answer = await self._call(self.stub.ModelStatistics, pb.ModelStatisticsRequest(name=name))
        counted = answer.model_stats[0]
        times = counted.inference_stats
        compute = times.compute_input.ns + times.compute_infer.ns + times.compute_output.ns
        return Statistics(
            inferences=counted.inference_count,
            executions=counted.execution_count,
            successes=times.success.count,
            failures=times.fail.count,
            queue_ns=times.queue.ns,
            compute_ns=compute,
        )

    async def infer(self, request: pb.ModelInferRequest, seconds: float = _CALL_SECONDS) -> pb.ModelInferResponse:
        """One inference outside the hot path. Raises TritonRepoError with what Triton says."""
        return await self._call(self.stub.ModelInfer, request, seconds)

    async def _change(self, name: str, method: Any, request: Any) -> None:
        try:
            await self._call(method, request, _LOAD_SECONDS)
        except (Unreachable, KeyRefused):
            raise
        except TritonRepoError as error:
            # The backend appends a traceback of its Python code: that is for Triton's log, which has it too.
            reason = _TRACEBACK.split(error.message)[0].strip()
            raise LoadFailed(f"{name}: {reason}") from error

    async def _call(self, method: Any, request: Any, seconds: float = _CALL_SECONDS) -> Any:
        call: Awaitable[Any] = method(request, metadata=self.metadata, timeout=seconds)
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            reason = error.details() or error.code().name
            if _LOCKED in reason:  # with the same code as a server that is not there
                raise KeyRefused(f"Triton at {self.address} refuses the key") from error
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise Unreachable(f"Triton at {self.address} does not answer: {reason}") from error
            if model_died(reason):
                raise ModelDied(reason) from error
            raise TritonRepoError(reason) from error
