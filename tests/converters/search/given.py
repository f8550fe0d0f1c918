"""A chain of products, and a bench that knows beforehand what each layer costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any, cast

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from converters.progress import Reporter
from converters.search.bench import Bench
from converters.search.recipe import Recipe
from converters.search.schemes import Part, part
from converters.search.search import Search
from converters.search.workshop import Workshop
from converters.steps.activations import Activation
from converters.steps.graph import Graph
from converters.steps.products import find
from converters.steps.run import EngineRefused
from registry.spec.certificate import Engine, Latency, Point

WIDTH = 8


def chain(layers: int, width: int = WIDTH, seed: int = 0) -> onnx.ModelProto:
    """x FP32 [batch, width] through as many products, each behind a Relu, to y FP32 [batch, width]."""
    rng = np.random.default_rng(seed)
    values = ["x", *(f"h{i}" for i in range(1, layers)), "y"]
    nodes, weights = [], []
    for i in range(layers):
        weights.append(numpy_helper.from_array(rng.standard_normal((width, width)).astype(np.float32) / 3, f"w{i}"))
        nodes.append(helper.make_node("MatMul", [values[i], f"w{i}"], [f"product{i}"]))
        nodes.append(helper.make_node("Relu", [f"product{i}"], [values[i + 1]]))
    return helper.make_model(
        helper.make_graph(
            nodes,
            "chain",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", width])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", width])],
            weights,
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )


def chain_part(layers: int) -> Part:
    """The chain with activations of 64 rows."""
    model, rng = chain(layers), np.random.default_rng(1)
    activations = {}
    for product in find(Graph(model)):
        rows = rng.standard_normal((64, WIDTH)).astype(np.float32)
        activations[product.source] = Activation(rows.min(axis=0), rows.max(axis=0), rows)
    return part(model, activations)


class KnownBench:
    """Says of a recipe that each of its layers in INT8 uses up the share of the budget that `costs` has for it.

    `harms` are what layers cost alone, where that is another share; `refuses` decides what an engine does not take.
    `after` is called whenever a recipe was judged; the engines in `floating` run INT8 in float.
    """

    def __init__(
        self,
        costs: Sequence[float],
        harms: Sequence[float] | None = None,
        refuses: Callable[[Recipe], bool] = lambda recipe: False,
    ) -> None:
        self._costs, self._harms = costs, costs if harms is None else harms
        self._refuses = refuses
        self.after: Callable[[], None] = lambda: None
        self.judged: list[Recipe] = []
        self.floating: set[Engine] = set()

    def used(self, recipe: Recipe) -> float:
        return _sum(self._costs, recipe)

    def check(self, recipe: Recipe) -> None:
        if self._refuses(recipe):
            raise EngineRefused("this kernel is not implemented\nat some line of some file")

    def runs_in_integers(self, recipe: Recipe) -> bool:
        return recipe.engine not in self.floating

    def loss(self, recipe: Recipe) -> float:
        return self.used(recipe)

    def harm(self, recipe: Recipe, part: str) -> float:
        return _sum(self._harms, recipe)

    def latency(self, recipe: Recipe, *, quick: bool = False) -> list[Latency]:
        self.check(recipe)
        return [Latency(load="1", threads=1, float_ms=2, quantized_ms=1, ratio=0.5, ratio_low=0.4, ratio_high=0.6)]

    def point(self, recipe: Recipe) -> Point:
        self.check(recipe)
        self.judged.append(recipe)
        self.after()
        return Point(
            name=recipe.name,
            arithmetic=recipe.arithmetic,
            engine=recipe.engine,
            loss=self.used(recipe),
            figures={},
            latency_ratio=0.5,
            size_ratio=0.25,
            passed=self.used(recipe) <= 1,
            chosen=False,
        )


def _sum(shares: Sequence[float], recipe: Recipe) -> float:
    return sum(shares[int(product.removeprefix("product"))] for product in recipe.schemes.get("model", {}))


class _NoWorkshop:
    """Keeps how weights are rounded, and makes nothing."""

    def __init__(self) -> None:
        self._rounded: Mapping[str, Any] = {}

    def store_by(self, rounded: Mapping[str, Any]) -> None:
        self._rounded = rounded

    @property
    def knows_rounding(self) -> bool:
        return bool(self._rounded)


def search(
    bench: KnownBench, layers: int, engines: Sequence[Engine] = (Engine.ONNXRUNTIME,), said: StringIO | None = None
) -> Search:
    """A search over the chain, which says what it does to `said`."""
    workshop = cast(Workshop, _NoWorkshop())
    return Search({"model": chain_part(layers)}, workshop, cast(Bench, bench), engines, Reporter(said or StringIO()))
