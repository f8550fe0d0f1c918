"""What the activations of a float graph look like over calibration samples: one pass; extremes and some rows stay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from converters.steps.graph import copy_of
from converters.steps.products import Product
from registry.spec.session import Feeds, open_session

_ROWS_EACH = 64  # of one sample: 76 batches of texts give 4,096, and MiniLM's 24 activations 260 MB
_MOST_ROWS = 4096
_LEAST_ROWS = 1024
_MOST_ELEMENTS = 8_000_000  # of one activation: 32 MB


@dataclass(frozen=True)
class Activation:
    """One value that products read, by its channels K.

    `low` and `high` [K] are the extremes over all samples; `rows` FP32 [R, K], or [R, K × kernel] where a convolution
    reads it, are what its first reader reads for one place of its output, drawn from every sample.
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    rows: NDArray[np.float32]

    @property
    def magnitude(self) -> NDArray[np.float32]:
        """The greatest absolute value of each channel."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    @property
    def finite(self) -> bool:
        """Whether all of it are numbers; scales of others mean nothing."""
        return bool(np.isfinite(self.magnitude).all())


class _Gathering:
    """The extremes and the rows so far of one value."""

    def __init__(self, product: Product, seed: int) -> None:
        self._axis = product.channel_axis
        self._window = product.window
        self._rng = np.random.default_rng(seed)
        self._low: NDArray[np.float32] | None = None
        self._high: NDArray[np.float32] | None = None
        self._rows: list[NDArray[np.float32]] = []

    def add(self, value: NDArray[np.float32]) -> None:
        rows = np.moveaxis(value, self._axis, -1).reshape(-1, value.shape[self._axis])
        if not len(rows):
            return
        low, high = rows.min(axis=0), rows.max(axis=0)
        self._low = low if self._low is None else np.minimum(self._low, low)
        self._high = high if self._high is None else np.maximum(self._high, high)
        self._rows.append(self._drawn(value, rows))

    def _drawn(self, value: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._window is not None:
            return self._window.rows(value, _ROWS_EACH, self._rng)
        drawn = self._rng.choice(len(rows), min(_ROWS_EACH, len(rows)), replace=False)
        return rows[np.sort(drawn)].copy()

    def activation(self) -> Activation | None:
        if self._low is None or self._high is None:
            return None
        rows = np.concatenate(self._rows)
        most = min(_MOST_ROWS, max(_LEAST_ROWS, _MOST_ELEMENTS // rows.shape[1]))
        if len(rows) > most:
            rows = rows[np.sort(self._rng.choice(len(rows), most, replace=False))]
        return Activation(self._low, self._high, rows)


def observe(
    model: onnx.ModelProto, products: Iterable[Product], samples: Iterable[Feeds], threads: int, scratch: Path
) -> dict[str, Activation]:
    """The activations that `products` of `model` read, by value name.

    Memory is bounded by what the graph answers for one sample, and by the rows that are kept. `scratch` is a directory
    for the instrumented graph. Every position counts: a sample must hold no padding.
    """
    gatherings = {product.source: _Gathering(product, seed) for seed, product in enumerate(_first_readers(products))}
    if not gatherings:
        return {}
    path = scratch / "instrumented.onnx"
    onnx.save(_instrumented(model, gatherings), path)
    session = open_session(path, threads, exact_x86=False)
    path.unlink()
    wanted = [name for name in gatherings if name not in {value.name for value in model.graph.input}]
    for feeds in samples:
        for name, value in zip(wanted, session.run(wanted, feeds) if wanted else (), strict=True):
            gatherings[name].add(value)
        for name in gatherings.keys() & feeds.keys():
            gatherings[name].add(np.asarray(feeds[name], dtype=np.float32))
    found = {name: gathering.activation() for name, gathering in gatherings.items()}
    return {name: activation for name, activation in found.items() if activation is not None}


def _first_readers(products: Iterable[Product]) -> Iterable[Product]:
    return {product.source: product for product in reversed(list(products))}.values()


def _instrumented(model: onnx.ModelProto, values: Mapping[str, _Gathering]) -> onnx.ModelProto:
    copy = copy_of(model)
    present = {value.name for value in (*copy.graph.output, *copy.graph.input)}
    copy.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in values if name not in present)
    return copy
