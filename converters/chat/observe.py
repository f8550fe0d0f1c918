"""A decoder over the calibration texts: the moments of what its products read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from converters.chat.decoder import Decoder
from converters.chat.moments import Moments
from converters.chat.weights import GRAPH, products

_TAPPED = "tapped.onnx"
_BYTES_AT_ONCE = 512 * 1024**2  # a decoder of 135 million parameters has 400 MB of them and is run once


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
