"""Front and back of a plan inside Triton: each request by itself, since those of a batch are padded differently."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from registry.spec import runtime
from triton_repo.runtime.adapter import Tensors
from triton_repo.runtime.embedding_stages import EmbeddingBack, EmbeddingFront
from triton_repo.runtime.serve import refusal, response
from triton_repo.runtime.shared_memory import keep_private


class Stage(Protocol):
    """Front or back of one task."""

    def run(self, inputs: Tensors) -> Tensors:
        """The outputs of one request. Raises InvalidRows where its own content is at fault."""


class StageServer:
    """One instance of a front or a back, as its configuration's parameters say."""

    def __init__(self, directory: Path, config: dict[str, Any]) -> None:
        keep_private()
        parameters = {key: value["string_value"] for key, value in config["parameters"].items()}
        self._stage = open_stage(directory, parameters)

    def answer(self, requests: list[Any]) -> list[Any]:
        """One response per request, in order; a request at fault gets its error and costs the others nothing."""
        return [self._one({tensor.name(): tensor.as_numpy() for tensor in request.inputs()}) for request in requests]

    def _one(self, inputs: Tensors) -> Any:
        try:
            return response(self._stage.run(inputs))
        except Exception as error:  # whatever it is, it is reported to the request that caused it, and to no other
            return refusal(error)


def open_stage(directory: Path, parameters: dict[str, str]) -> Stage:
    """The stage that `parameters` name, of the model in `directory`. Raises ValueError for a task without stages."""
    settings = runtime.read(directory / "runtime.json")
    if not isinstance(settings, runtime.EmbeddingRuntime):
        raise ValueError(f"the task {settings.task} has no stages around a plan")
    if parameters["stage"] == "front":
        return EmbeddingFront(directory, settings, tuple(int(size) for size in parameters["buckets"].split(",")))
    return EmbeddingBack(settings)
