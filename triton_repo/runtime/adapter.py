"""What an adapter is: the one thing that differs between tasks inside Triton."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

Tensors = dict[str, NDArray[Any]]
"""Tensors by name, each with the batch dimension first and the same number of rows."""


class InvalidRows(Exception):
    """The request's own content is at fault; the message is for its sender: what is wrong, and what to send."""


class EngineRefused(InvalidRows):
    """The engine takes the content for wrong; its message is about the graph, and for whoever runs it."""


class Adapter(Protocol):
    """Serves one model of one task."""

    def accept(self, inputs: Tensors) -> Any:
        """Decode one request's inputs to what `run` takes. Raises InvalidRows, which fails that request alone."""

    def run(self, accepted: list[Any]) -> Tensors:
        """Run all accepted requests as one batch; the outputs' rows are the requests' rows in order, usage included.

        Raises InvalidRows where the engine says that the content is at fault.
        """
