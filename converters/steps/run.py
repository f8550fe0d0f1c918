"""Running a graph that somebody else made: what the engine refuses is an answer, not a crash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort  # noqa: TID253  (only the child imports this module)
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as engine  # noqa: TID253

from registry.spec.session import Feeds, Session, open_session

_REFUSALS: tuple[type[Exception], ...] = (
    engine.EPFail,
    engine.Fail,
    engine.InvalidArgument,
    engine.InvalidGraph,
    engine.InvalidProtobuf,
    engine.NotImplemented,
    engine.RuntimeException,
    ValueError,  # wrong names and shapes; OpenVINO's Refused is one
)
"""What an engine raises where it does not take a graph or its inputs."""


_NO_MEMORY = ("failed to allocate memory", "bad_alloc")  # how ONNX Runtime and OpenVINO say it


class EngineRefused(Exception):
    """An engine did not open the graph, or did not take the inputs."""

    @property
    def brief(self) -> str:
        """What the engine said, short enough for a sentence on a certificate."""
        return (str(self).strip().splitlines() or ["no reason given"])[0][:200]


@dataclass(frozen=True)
class Refusing:
    """A session whose engine's errors are EngineRefused."""

    session: Session

    def run(self, outputs: Sequence[str] | None, feeds: Feeds) -> list[NDArray[Any]]:
        """The values of `outputs`, of all of the graph's where None. Raises EngineRefused."""
        return run(self.session, outputs, feeds)


@contextmanager
def refusals() -> Iterator[None]:
    """Raises EngineRefused in place of what an engine raises inside. Nothing but its own calls belongs there."""
    try:
        yield
    except _REFUSALS as error:
        raise _refused(error) from error


def open_float(path: Path, threads: int) -> ort.InferenceSession:
    """Open a float graph in ONNX Runtime. Raises EngineRefused."""
    with refusals():
        return open_session(path, threads, exact_x86=False)


def run(session: Session, outputs: Sequence[str] | None, feeds: Feeds) -> list[NDArray[Any]]:
    """The values of `outputs`, of all of the graph's where None. Raises EngineRefused."""
    with refusals():
        return session.run(outputs, dict(feeds))


def _refused(error: Exception) -> EngineRefused | MemoryError:
    """Memory that is not there is no fault of the graph's inputs: the child then says which limit was reached."""
    text = str(error)
    return MemoryError(text) if any(sign in text.lower() for sign in _NO_MEMORY) else EngineRefused(text)
