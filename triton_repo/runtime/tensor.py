"""Any ONNX graph inside Triton: the rows of all requests of the batch in one run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from registry.spec.runtime import TensorRuntime
from registry.spec.session import Refused, open_graph
from registry.spec.task import USAGE_OUTPUT
from triton_repo.runtime.adapter import InvalidRows, Tensors


class TensorAdapter:
    """The graph's own inputs and outputs, and `conch_usage` INT64 [rows, 1]: one request unit a row."""

    def __init__(self, directory: Path, settings: TensorRuntime, threads: int, outputs: Sequence[str]) -> None:
        from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

        self._refusals: tuple[type[Exception], ...] = (InvalidArgument, Refused)
        self._session = open_graph(directory, "model", threads, exact_x86=settings.exact_x86)
        self._outputs = list(outputs)

    def accept(self, inputs: Tensors) -> Tensors:
        """The inputs as the engine takes them: strings decoded, everything else the view that Triton gave."""
        return {name: _decoded(array) if array.dtype == np.object_ else array for name, array in inputs.items()}

    def run(self, accepted: list[Tensors]) -> Tensors:
        """Run the requests' rows as one batch. Triton batches only requests of equal row shapes."""
        feeds = accepted[0]
        if len(accepted) > 1:
            feeds = {name: np.concatenate([inputs[name] for inputs in accepted]) for name in feeds}
        try:
            outputs = dict(zip(self._outputs, self._session.run(self._outputs, feeds), strict=True))
        except self._refusals as error:
            raise InvalidRows(str(error)) from error
        rows = len(next(iter(feeds.values())))
        outputs[USAGE_OUTPUT] = np.ones((rows, 1), dtype=np.int64)
        return outputs


def _decoded(
    array: np.ndarray[tuple[int, ...], np.dtype[np.object_]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.object_]]:
    decoded = np.empty(array.shape, dtype=np.object_)
    try:
        decoded.ravel()[:] = [str(text, "utf-8") for text in array.ravel()]
    except UnicodeDecodeError as error:
        raise InvalidRows(f"a string is not UTF-8: {error.reason} at byte {error.start}") from error
    return decoded
