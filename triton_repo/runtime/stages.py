"""Front and back of a plan inside Triton: each request by itself, since those of a batch are padded differently."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import triton_python_backend_utils as pb_utils

from registry.spec import runtime
from triton_repo.runtime.adapter import InvalidRows, Tensors
from triton_repo.runtime.embedding_stages import EmbeddingBack, EmbeddingFront
from triton_repo.runtime.shared_memory import keep_private


class Stage(Protocol):
    """Front or back of one task."""

    def run(self, inputs: Tensors) -> Tensors:
        """The outputs of one request. Raises InvalidRows where its own content is at fault."""


class StageServer:
    """One instance of a front or a back, as its configuration's parameters say."""

    def __init__(self, directory: Path, config: str) -> None:
        keep_private()
        parameters = {key: value["string_value"] for key, value in json.loads(config)["parameters"].items()}
        self._stage = open_stage(directory, parameters)

    def answer(self, requests: list[Any]) -> list[Any]:
        """One response per request, in order; a request at fault gets its error and costs the others nothing."""
        return [self._one({tensor.name(): tensor.as_numpy() for tensor in request.inputs()}) for request in requests]

    def _one(self, inputs: Tensors) -> Any:
        try:
            outputs = self._stage.run(inputs)
        except InvalidRows as error:
            return pb_utils.InferenceResponse([], pb_utils.TritonError(str(error), pb_utils.TritonError.INVALID_ARG))
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in outputs.items()])


def open_stage(directory: Path, parameters: dict[str, str]) -> Stage:
    """The stage that `parameters` name, of the model in `directory`. Raises ValueError for a task without stages."""
    settings = runtime.read(directory / "runtime.json")
    if not isinstance(settings, runtime.EmbeddingRuntime):
        raise ValueError(f"the task {settings.task} has no stages around a plan")
    if parameters["stage"] == "front":
        return EmbeddingFront(directory, settings, tuple(int(size) for size in parameters["buckets"].split(",")))
    return EmbeddingBack(settings)
