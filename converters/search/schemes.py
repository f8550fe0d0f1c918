"""Ways to choose the scales of a whole model: one rule for all products, or for each product what harms it least."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import NDArray

from converters.steps import rounding, scales, smooth
from converters.steps.activations import Activation
from converters.steps.canonical import Scheme, Weights
from converters.steps.graph import Graph
from converters.steps.products import Product, find
from converters.steps.scales import Method

_ALPHAS: tuple[float | None, ...] = (None, 0.5, 0.65, 0.8)
_LOCAL_ALPHAS: tuple[float | None, ...] = (0.7, 0.85, 1.0)
_LOCAL_METHODS = (Method.MINMAX, Method.PERCENTILE_5)
_FITTED_ROWS = 1024
_LOCAL_ROWS = 512  # rows of an activation that a product is tried on: 512 × 1536 × 384 takes 10 ms


@dataclass(frozen=True)
class Part:
    """One graph of a model, ready to be quantized, with what its activations look like."""

    model: onnx.ModelProto
    products: Sequence[Product]
    activations: Mapping[str, Activation]


Strategy = Mapping[str, Scheme]


def part(model: onnx.ModelProto, activations: Mapping[str, Activation]) -> Part:
    """A part whose products are those with activations that are numbers."""
    known = [p for p in find(Graph(model)) if p.source in activations and activations[p.source].finite]
    return Part(model, known, activations)


def strategies(parts: Mapping[str, Part]) -> Iterator[tuple[str, dict[str, Strategy]]]:
    """Names and schemes of whole models, the most promising first."""
    smoothable = any(product.operator == "MatMul" for p in parts.values() for product in p.products)
    if smoothable:
        yield "each layer's own scales and smoothing", {name: _local(p) for name, p in parts.items()}
    for alpha in reversed(_ALPHAS) if smoothable else (None,):
        smoothing = "" if alpha is None else f", SmoothQuant α {alpha}"
        yield f"min-max{smoothing}", {name: _uniform(p, Method.MINMAX, alpha) for name, p in parts.items()}
    for method in (Method.MSE, Method.PERCENTILE_5, Method.PERCENTILE_4, Method.PERCENTILE_3, Method.ENTROPY):
        yield method.value, {name: _uniform(p, method, None) for name, p in parts.items()}


def _uniform(part: Part, method: Method, alpha: float | None) -> Strategy:
    graph = Graph(part.model)
    return {p.id: _scheme(graph, p, part.activations[p.source], method, alpha) for p in part.products}


def _local(part: Part) -> Strategy:
    """For each MatMul the rule and the smoothing that change its own output least; min-max for convolutions."""
    graph = Graph(part.model)
    return {
        p.id: _least_harm(graph, p, part.activations[p.source])
        if p.operator == "MatMul"
        else _scheme(graph, p, part.activations[p.source], Method.MINMAX, None)
        for p in part.products
    }


def _scheme(graph: Graph, product: Product, activation: Activation, method: Method, alpha: float | None) -> Scheme:
    smoothing = None
    if alpha is not None and product.operator == "MatMul":
        matrix = graph.constant(product.weights)
        assert matrix is not None, "a product has constant weights"
        smoothing = smooth.multiplier(activation.magnitude, matrix, alpha)
    return _ranged(activation, method, smoothing)


def _ranged(activation: Activation, method: Method, smoothing: NDArray[np.float32] | None) -> Scheme:
    factor = np.float32(1) if smoothing is None else smoothing
    low, high = float((activation.low * factor).min()), float((activation.high * factor).max())
    values = activation.rows * factor if method is not Method.MINMAX else np.empty(0, np.float32)
    return Scheme(*scales.choose(method, low, high, values), smoothing)


def _least_harm(graph: Graph, product: Product, activation: Activation) -> Scheme:
    """The range and the smoothing that change the product's output least, on rows that did not fit the rounding."""
    matrix = graph.constant(product.weights)
    assert matrix is not None, "a product has constant weights"
    fit, rows = activation.rows[::2][:_FITTED_ROWS], activation.rows[1::2][:_LOCAL_ROWS]
    wanted = rows @ matrix
    errors: list[tuple[float, Scheme]] = []
    for alpha in _LOCAL_ALPHAS:
        smoothing = None if alpha is None else smooth.multiplier(activation.magnitude, matrix, alpha)
        rounded = _compensated(matrix, fit, _ranged(activation, Method.MINMAX, smoothing))
        for method in _LOCAL_METHODS:
            scheme = _ranged(activation, method, smoothing)
            product_of = _quantized_rows(rows, scheme) @ (rounded.levels * rounded.scales)
            errors.append((float(np.square(product_of - wanted).sum()), scheme))
    best = min(errors, key=lambda entry: entry[0])[1]
    return replace(best, weights=_compensated(matrix, activation.rows, best))


def _compensated(matrix: NDArray[np.float32], rows: NDArray[np.float32], scheme: Scheme) -> Weights:
    smoothed = matrix if scheme.smoothing is None else matrix / scheme.smoothing[:, None]
    return rounding.compensated(smoothed, _quantized_rows(rows, scheme))


def _quantized_rows(rows: NDArray[np.float32], scheme: Scheme) -> NDArray[np.float32]:
    smoothed = rows if scheme.smoothing is None else rows * scheme.smoothing
    return scales.rounded(smoothed, scheme.low, scheme.high)
