"""Ways to choose the scales of a whole model: one rule for all products, or for each product what harms it least."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import NDArray

from converters.steps import blocked, rounding, scales, smooth
from converters.steps.activations import Activation
from converters.steps.canonical import Scheme, Weights, levels_and_scales
from converters.steps.graph import Graph
from converters.steps.kernels import Kernel
from converters.steps.products import OUTPUT_AXIS, Product, find
from converters.steps.scales import Method

_ALPHAS = (0.5, 0.65, 0.8)
_LOCAL_ALPHAS: tuple[float | None, ...] = (None, 0.5, 0.7, 0.85, 1.0)
_LOCAL_METHODS = (Method.MINMAX, Method.PERCENTILE_5, Method.PERCENTILE_4)
_ROWS_FOR_EACH = 1.5  # rows for each column: with fewer, what is fitted to them does not hold for others
_LEAST_ROWS = 512
_LOCAL_ROWS = 512  # rows of an activation that a product is tried on: 512 × 1536 × 384 takes 10 ms


@dataclass(frozen=True)
class Part:
    """One graph of a model, ready to be quantized, with what its activations look like."""

    model: onnx.ModelProto
    products: Sequence[Product]
    activations: Mapping[str, Activation]


Strategy = Mapping[str, Scheme]

Begin = Callable[[str], None]
"""Is told what is done next, before it is: rounding one layer of a large model takes seconds."""


def part(model: onnx.ModelProto, activations: Mapping[str, Activation]) -> Part:
    """A part whose products are those with activations that are numbers."""
    known = [p for p in find(Graph(model)) if p.source in activations and activations[p.source].finite]
    return Part(model, known, activations)


Named = tuple[str, dict[str, Strategy]]
"""A name, and the schemes of a whole model."""


def local(parts: Mapping[str, Part], begin: Begin) -> list[Named]:
    """Each layer by the rule that suits it, with weights that make up for it. What `begin` raises ends them."""
    # Rows are a sample: an outlier that is not among them looks as if it could be clipped. Both are tried.
    return [
        (title, {name: _local(p, methods, _named(begin, title)) for name, p in parts.items()})
        for title, methods in (
            ("each layer's own smoothing", (Method.MINMAX,)),
            ("each layer's own scales", _LOCAL_METHODS),
        )
    ]


def uniform(parts: Mapping[str, Part]) -> list[Named]:
    """One rule for all layers, weights rounded to nearest: made in a moment, the most promising first."""
    smoothed = [
        (f"min-max, SmoothQuant α {alpha}", {name: _uniform(p, Method.MINMAX, alpha) for name, p in parts.items()})
        for alpha in _ALPHAS
    ]
    return [*smoothed, *((m.value, {name: _uniform(p, m, None) for name, p in parts.items()}) for m in Method)]


def _uniform(part: Part, method: Method, alpha: float | None) -> Strategy:
    """One rule for all; a transposed convolution is not smoothed, as OpenVINO would not fuse what comes before it."""
    graph = Graph(part.model)
    schemes = {}
    for product in part.products:
        activation = part.activations[product.source]
        smoothing = None
        if alpha is not None and product.operator != "ConvTranspose" and _enough(product, activation):
            smoothing = smooth.multiplier(activation.magnitude, _kernel(graph, product).by_input(), alpha)
        schemes[product.id] = _ranged(activation, method, smoothing)
    return schemes


def _local(part: Part, methods: Sequence[Method], begin: Begin) -> Strategy:
    """For each product the rule and the smoothing that change its output least, with weights that make up for it."""
    graph = Graph(part.model)
    found = {}
    for product in _announced(part.products, begin):
        activation = part.activations[product.source]
        found[product.id] = _least_harm(_kernel(graph, product), product, activation, methods)
    return found


def stored(part: Part, begin: Begin) -> dict[str, Weights]:
    """Weights in INT8 for float arithmetic, by product: rounded for what the products read in float."""
    graph = Graph(part.model)
    found = {}
    for product in _announced(part.products, _named(begin, "weights of what runs in float")):
        kernel, activation = _kernel(graph, product), part.activations[product.source]
        if _reads(product, kernel, activation) and _enough(product, activation):
            blocks = blocked.blocks(len(kernel.matrices()[0]))
            found[product.id] = _rounded(kernel, activation.rows, kernel.answer(activation.rows), blocks)
    return found


def _announced(products: Sequence[Product], begin: Begin) -> Iterator[Product]:
    for number, product in enumerate(products, 1):
        begin(f"rounding product {number} of {len(products)}, {product.weights}")
        yield product


def _named(begin: Begin, title: str) -> Begin:
    return lambda message: begin(f"{title}: {message}")


def _kernel(graph: Graph, product: Product) -> Kernel:
    values = graph.constant(product.weights)
    assert values is not None, "a product has constant weights"
    return Kernel(product.operator, values, product.groups)


def _least_harm(kernel: Kernel, product: Product, activation: Activation, methods: Sequence[Method]) -> Scheme:
    """The range and the smoothing that change the product's output least, tried with weights rounded to nearest."""
    if not (_reads(product, kernel, activation) and _enough(product, activation)):
        return _ranged(activation, Method.MINMAX, None)
    rows = activation.rows[:: max(1, len(activation.rows) // _LOCAL_ROWS)]
    wanted = kernel.answer(rows)
    errors: list[tuple[float, Scheme]] = []
    for alpha in _LOCAL_ALPHAS:
        smoothing = None if alpha is None else smooth.multiplier(activation.magnitude, kernel.by_input(), alpha)
        nearest = _nearest(_smoothed(kernel, smoothing))
        for method in methods:
            scheme = _ranged(activation, method, smoothing)
            answered = nearest.answer(_quantized_rows(rows, scheme))
            errors.append((float(np.square(answered - wanted).sum()), scheme))
    best = min(errors, key=lambda entry: entry[0])[1]
    quantized = _quantized_rows(activation.rows, best)
    return replace(best, weights=_rounded(_smoothed(kernel, best.smoothing), quantized, kernel.answer(activation.rows)))


def _rounded(kernel: Kernel, rows: NDArray[np.float32], wanted: NDArray[np.float32], blocks: int = 1) -> Weights:
    """The kernel rounded for what it reads, and what it then answers too much of what is wanted [R, outputs]."""
    weights = rounding.compensated_kernel(kernel, rows, blocks)
    excess = (_widened(kernel, weights).answer(rows) - wanted).mean(axis=0)
    return replace(weights, excess=excess.astype(np.float32))


def _enough(product: Product, activation: Activation) -> bool:
    """Whether there are rows enough to treat channels one by one.

    What follows a global pooling is seen once a sample: maxima of each channel and correlations between channels are
    then those of the samples, and smoothing by them clips what comes later (PP-OCR: 35 % of the energy lost, not 3 %).
    """
    count, width = len(activation.rows), activation.rows.shape[1] / product.groups
    return count >= max(_LEAST_ROWS, _ROWS_FOR_EACH * width)


def _reads(product: Product, kernel: Kernel, activation: Activation) -> bool:
    """Whether the rows are what this product reads: not of a transposed convolution, or of a kernel of another size."""
    if product.operator == "ConvTranspose":
        return False
    return activation.rows.shape[1] == len(kernel.matrices()[0]) * kernel.groups


def _smoothed(kernel: Kernel, smoothing: NDArray[np.float32] | None) -> Kernel:
    return kernel if smoothing is None else kernel.divided(smoothing)


def _nearest(kernel: Kernel) -> Kernel:
    return _widened(kernel, Weights(*levels_and_scales(kernel.values, OUTPUT_AXIS[kernel.operator])))


def _widened(kernel: Kernel, weights: Weights) -> Kernel:
    """What the levels stand for."""
    return Kernel(kernel.operator, blocked.widened(weights, OUTPUT_AXIS[kernel.operator]), kernel.groups)


def _quantized_rows(rows: NDArray[np.float32], scheme: Scheme) -> NDArray[np.float32]:
    return scales.rounded(_multiplied(rows, scheme.smoothing), scheme.low, scheme.high)


def _multiplied(rows: NDArray[np.float32], smoothing: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Rows [R, channels × kernel] with each channel multiplied."""
    if smoothing is None:
        return rows
    return rows * np.repeat(smoothing, rows.shape[1] // len(smoothing))


def _ranged(activation: Activation, method: Method, smoothing: NDArray[np.float32] | None) -> Scheme:
    factor = np.float32(1) if smoothing is None else smoothing
    low, high = float((activation.low * factor).min()), float((activation.high * factor).max())
    values = np.empty(0, np.float32) if method is Method.MINMAX else _multiplied(activation.rows, smoothing)
    return Scheme(*scales.choose(method, low, high, values), smoothing)
