"""How the inputs of a decoder's products vary together, which is what rounding with compensation needs to know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from converters.chat.decoder import Decoder
from converters.chat.weights import GRAPH, products

_TAPPED = "tapped.onnx"
_BYTES_AT_ONCE = 512 * 1024**2  # a decoder of 135 million parameters has 400 MB of them and is run once


class Moments:
    """The sum of x xᵀ over all inputs x of a product, FP32 [inputs, inputs]: files in a directory, one in memory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, Path] = {}

    def keep(self, tensor: str, value: NDArray[np.float32]) -> None:
        """Write the moments of a tensor."""
        self._files[tensor] = self._directory / f"{len(self._files)}.npy"
        np.save(self._files[tensor], value)

    def of(self, tensor: str) -> NDArray[np.float32] | None:
        """The moments of the inputs with the name `tensor`; None where there are none."""
        if tensor not in self._files:
            return None
        value: NDArray[np.float32] = np.load(self._files[tensor])
        return value


def observe(
    directory: Path, texts: Sequence[NDArray[np.int64]], without: set[str], target: Path, threads: int
) -> Moments:
    """The moments of the decoder in `directory` over `texts`, of all products but those named in `without`.

    The decoder is run once for every half gigabyte of them, which bounds memory.
    """
    model = onnx.load(directory / GRAPH, load_external_data=False)
    moments = Moments(target)
    for portion in _portions(model.graph, without):
        tapped = onnx.ModelProto()
        tapped.CopyFrom(model)
        tapped.graph.output.extend(onnx.ValueInfoProto(name=name) for name in portion)
        onnx.save(tapped, directory / _TAPPED)
        try:
            for name, value in _sums(Decoder(directory, threads, _TAPPED), texts, portion).items():
                moments.keep(name, value)
        finally:
            (directory / _TAPPED).unlink()
    return moments


def _portions(graph: onnx.GraphProto, without: set[str]) -> Iterator[list[str]]:
    """The inputs of the products in the order of the graph, so many that their moments fit."""
    widths = {name: inputs for name, (inputs, _) in products(graph).items() if name not in without}
    sizes = {node.input[0]: 4 * widths[node.name] ** 2 for node in graph.node if node.name in widths}
    portion: list[str] = []
    for name, size in sizes.items():
        if portion and sum(sizes[other] for other in portion) + size > _BYTES_AT_ONCE:
            yield portion
            portion = []
        portion.append(name)
    if portion:
        yield portion


def _sums(decoder: Decoder, texts: Sequence[NDArray[np.int64]], names: list[str]) -> dict[str, NDArray[np.float32]]:
    found: dict[str, NDArray[np.float32]] = {}
    for tokens in texts:
        for name, value in zip(names, decoder.run(tokens, names), strict=True):
            rows = value.reshape(-1, value.shape[-1])
            found[name] = found.get(name, np.float32(0)) + rows.T @ rows
    return found
