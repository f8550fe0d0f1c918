"""From Triton's requests to one batch and back: the loop every task shares."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from registry.spec import runtime
from registry.spec.hardware import hardware_class
from registry.spec.task import REFUSED_INPUT, USAGE_OUTPUT
from triton_repo.runtime.adapter import Adapter, EngineRefused, InvalidRows, Tensors
from triton_repo.runtime.classification import ClassificationAdapter
from triton_repo.runtime.detection import DetectionAdapter
from triton_repo.runtime.embedding import EmbeddingAdapter
from triton_repo.runtime.ocr import OcrAdapter
from triton_repo.runtime.shared_memory import keep_private
from triton_repo.runtime.tensor import TensorAdapter
from triton_repo.runtime.voice_activity import VoiceActivityAdapter


class Server:
    """One instance of one published model."""

    def __init__(self, directory: Path, config: dict[str, Any]) -> None:
        keep_private()
        threads = int(config["parameters"]["threads"]["string_value"])
        outputs = [output["name"] for output in config["output"] if output["name"] != USAGE_OUTPUT]
        self._adapter = open_adapter(directory, threads, outputs)

    def answer(self, requests: list[Any]) -> list[Any]:
        """One response per request, in order; a request at fault gets its error and costs the others nothing."""
        responses: list[Any] = [None] * len(requests)
        positions, accepted, rows = [], [], []
        for position, request in enumerate(requests):
            inputs: Tensors = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
            try:
                accepted.append(self._adapter.accept(inputs))
            except InvalidRows as error:
                responses[position] = refusal(error)
                continue
            positions.append(position)
            rows.append(len(next(iter(inputs.values()))))
        if accepted:
            for position, answer in zip(positions, self._run(accepted, rows), strict=True):
                responses[position] = answer
        return responses

    def _run(self, accepted: list[Any], rows: list[int]) -> list[Any]:
        try:
            outputs = self._adapter.run(accepted)
        except Exception as error:  # whatever the engine raises is reported to the requests that caused it
            if len(accepted) == 1:
                return [refusal(error)]
            # One of them spoils the batch; alone, it spoils only its own answer.
            return [self._run([one], [count])[0] for one, count in zip(accepted, rows, strict=True)]
        bounds = pairwise(np.cumsum([0, *rows]).tolist())
        return [response({name: array[start:end] for name, array in outputs.items()}) for start, end in bounds]


def open_adapter(directory: Path, threads: int, outputs: Sequence[str]) -> Adapter:
    """Open the model in `directory` as its `runtime.json` says; `outputs` are those of its configuration."""
    settings = runtime.read(directory / "runtime.json")
    _check_class(settings.hardware_class)
    match settings:
        case runtime.EmbeddingRuntime():
            return EmbeddingAdapter(directory, settings, threads)
        case runtime.TensorRuntime():
            return TensorAdapter(directory, settings, threads, outputs)
        case runtime.ClassificationRuntime():
            return ClassificationAdapter(directory, settings, threads)
        case runtime.DetectionRuntime():
            return DetectionAdapter(directory, settings, threads)
        case runtime.OcrRuntime():
            return OcrAdapter(directory, settings, threads)
        case runtime.VoiceActivityRuntime():
            return VoiceActivityAdapter(directory, settings, threads)


def _check_class(certified: str) -> None:
    """INT8 is as accurate and as fast as its certificate says on one class of processors only."""
    if certified and certified != hardware_class():
        raise RuntimeError(
            f"this version is certified for {certified}, and this machine is {hardware_class()}: "
            "convert it on a machine of this class"
        )


def response(outputs: Tensors) -> Any:
    """What a request is answered with."""
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in outputs.items()])


def refusal(error: Exception) -> Any:
    """What a request is answered with that failed."""
    code = pb_utils.TritonError.INVALID_ARG if isinstance(error, InvalidRows) else pb_utils.TritonError.INTERNAL
    for_sender = isinstance(error, InvalidRows) and not isinstance(error, EngineRefused)
    return pb_utils.InferenceResponse([], pb_utils.TritonError(f"{REFUSED_INPUT if for_sender else ''}{error}", code))
