"""Running a graph that somebody else made: what the engine refuses is an answer, not a crash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime as ort  # noqa: TID253  (only the child imports this module)
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as engine  # noqa: TID253

from registry.spec.session import open_session

_REFUSALS = (
    engine.EPFail,
    engine.Fail,
    engine.InvalidArgument,
    engine.InvalidGraph,
    engine.InvalidProtobuf,
    engine.NotImplemented,
    engine.RuntimeException,
)


class EngineRefused(Exception):
    """ONNX Runtime did not open the graph, or did not take the inputs."""


def open_graph(path: Path, threads: int) -> ort.InferenceSession:
    """Open a float graph. Raises EngineRefused."""
    try:
        return open_session(path, threads, exact_x86=False)
    except _REFUSALS as error:
        raise EngineRefused(str(error)) from error


def run(session: ort.InferenceSession, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """The values of `outputs`. Raises EngineRefused."""
    try:
        values: list[NDArray[Any]] = session.run(list(outputs), dict(feeds))
    except (*_REFUSALS, ValueError) as error:
        raise EngineRefused(str(error)) from error
    return values
