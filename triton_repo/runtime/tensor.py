"""Any ONNX graph inside Triton: the rows of all requests of the batch in one run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.spec.runtime import TensorRuntime
from registry.spec.session import Refused, open_graph
from registry.spec.task import USAGE_OUTPUT
from triton_repo.runtime.adapter import EngineRefused, InvalidRows, Tensors


class TensorAdapter:
    """The graph's own inputs and outputs, and `conch_usage` INT64 [rows, 1]: one request unit a row."""

    def __init__(self, directory: Path, settings: TensorRuntime, threads: int, outputs: Sequence[str]) -> None:
        self._session = open_graph(directory, "model", threads, exact_x86=settings.exact_x86)
        self._outputs = list(outputs)

    def accept(self, inputs: Tensors) -> Tensors:
        """The inputs as the engine takes them."""
        return decoded(inputs)

    def run(self, accepted: list[Tensors]) -> Tensors:
        """Run the requests' rows as one batch. Triton batches only requests of equal row shapes."""
        feeds = joined(accepted)
        with engine_refusals():
            outputs = dict(zip(self._outputs, self._session.run(self._outputs, feeds), strict=True))
        rows = len(next(iter(feeds.values())))
        outputs[USAGE_OUTPUT] = np.ones((rows, 1), dtype=np.int64)
        return outputs


def decoded(inputs: Tensors) -> Tensors:
    """Strings decoded, everything else the view that Triton gave. Raises InvalidRows for what is not UTF-8."""
    return {name: _strings(array) if array.dtype == np.object_ else array for name, array in inputs.items()}


def joined(accepted: Sequence[Tensors]) -> Tensors:
    """The rows of several requests as one batch, those of one alone uncopied."""
    if len(accepted) == 1:
        return accepted[0]
    return {name: np.concatenate([inputs[name] for inputs in accepted]) for name in accepted[0]}


@contextmanager
def engine_refusals() -> Iterator[None]:
    """Raise EngineRefused where the engine says that the rows are at fault."""
    from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

    try:
        yield
    except (InvalidArgument, Refused) as error:
        raise EngineRefused(str(error)) from error


def _strings(array: NDArray[Any]) -> NDArray[Any]:
    found = np.empty(array.shape, dtype=np.object_)
    try:
        found.ravel()[:] = [str(text, "utf-8") for text in array.ravel()]
    except UnicodeDecodeError as error:
        raise InvalidRows(f"a string is not UTF-8: {error.reason} at byte {error.start}") from error
    return found
