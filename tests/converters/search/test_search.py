"""The search over recipes, with a bench that knows what each layer costs: what is tried, in which order, and why."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest

from converters.search.recipe import Recipe
from converters.search.search import Search
from registry.spec.certificate import Arithmetic, Engine
from tests.converters.search.given import KnownBench, search

_COSTS = (2.0, 0.3, 0.2, 0.1, 1.5, 0.1, 0.1, 0.1)


def _floating(found: Search, recipe: Recipe) -> set[str]:
    layers = found.layers(recipe)
    return {layer.name for layer in layers if layer.arithmetic is Arithmetic.FLOAT32}


def _best(found: Search) -> Recipe:
    best = found.run()
    assert best is not None
    return best


def test_what_keeps_the_budget_stays_in_int8() -> None:
    bench = KnownBench([0.1] * 4)
    found = search(bench, 4)
    best = _best(found)
    assert best.products == 4
    assert found.harm == {}, "nothing had to be ranked"
    assert all(layer.reason is None for layer in found.layers(best))


@pytest.mark.parametrize(("costs", "floating"), [([0.1, 3, 0.2, 0.3], {"w1"}), ([2, 0.5, 3, 0.4], {"w0", "w2"})])
def test_the_most_harmful_layers_go_back_to_float(costs: list[float], floating: set[str]) -> None:
    found = search(KnownBench(costs), 4)
    best = _best(found)
    assert _floating(found, best) == floating
    assert best.name.endswith("1 layer in float" if len(floating) == 1 else "2 layers in float")


def test_a_layer_that_is_not_needed_in_float_comes_back() -> None:
    bench = KnownBench(
        [0.2, 1.5, 0.2, 0.1], harms=[3.0, 2.5, 2.0, 0.1]
    )  # alone, w0 does more harm than with the others
    found = search(bench, 4)
    best = _best(found)
    assert any(recipe.floating == 2 for recipe in bench.judged)
    assert _floating(found, best) == {"w1"}
    assert best.floating == 1


@pytest.mark.parametrize("harmful", [{29}, {31}, {25, 31}])
def test_layers_that_the_ranking_misjudges_are_found_all_the_same(harmful: set[int]) -> None:
    """The last of 32 by their harm alone are what the figures see: a prefix has them only with all the others."""
    costs = [1.5 if layer in harmful else 0.01 for layer in range(32)]
    bench = KnownBench(costs, harms=[32.0 - layer for layer in range(32)])
    found = search(bench, 32)
    assert _floating(found, _best(found)) == {f"w{layer}" for layer in harmful}
    assert len(bench.judged) <= 32


def test_where_nothing_keeps_the_budget_there_is_no_candidate() -> None:
    found = search(KnownBench([2.0, 2.0, 2.0]), 3)
    assert found.run() is None
    assert found.refusal is None
    assert not found.out_of_time


def test_a_layer_in_float_has_an_honest_reason() -> None:
    found = search(KnownBench([2, 0.5, 3, 0.4]), 4)
    best = _best(found)
    reasons = {layer.name: layer.reason for layer in found.layers(best)}
    assert reasons["w1"] is None
    assert reasons["w0"] == "it is one of 2 layers, chosen by their harm, whose return to float keeps the budget"


def test_the_layers_of_dynamic_int8_are_in_dynamic_int8() -> None:
    found = search(KnownBench([2.0, 2.0]), 2)
    dynamic = Recipe("dynamic INT8", Arithmetic.INT8_DYNAMIC, Engine.ONNXRUNTIME, {})
    assert {layer.arithmetic for layer in found.layers(dynamic)} == {Arithmetic.INT8_DYNAMIC}
    assert all(layer.reason is None for layer in found.layers(dynamic))


def test_safer_ones_have_more_in_float_and_say_the_total_once() -> None:
    found = search(KnownBench([3.0, *[0.04] * 11]), 12)
    best = _best(found)
    assert best.floating == 1
    safer = list(found.safer(best))
    assert [recipe.floating for recipe in safer] == [2, 3, 5]
    assert all(recipe.name.count("in float") == 1 for recipe in safer)


@pytest.mark.parametrize(("layers", "products"), [(1, []), (2, [1]), (4, [3, 2])])
def test_no_safer_one_is_tried_twice_or_has_nothing_in_int8(layers: int, products: list[int]) -> None:
    found = search(KnownBench([0.1] * layers), layers)
    safer = list(found.safer(_best(found)))
    assert [recipe.products for recipe in safer] == products
    assert len({recipe.key for recipe in safer}) == len(safer)


@pytest.mark.parametrize("judged", range(1, 6))
def test_the_time_limit_leaves_the_best_so_far(judged: int) -> None:
    bench = KnownBench(_COSTS)
    found = search(bench, len(_COSTS))

    def stop() -> None:
        if len(bench.judged) == judged:
            found.deadline = 0.0

    bench.after = stop
    best = found.run()
    passed = [recipe for recipe in bench.judged if bench.used(recipe) <= 1]
    assert found.out_of_time
    assert len(bench.judged) == judged, "nothing was judged after the limit"
    assert best == (passed[-1] if passed else None)


def test_the_time_limit_ends_the_rounding_of_weights_but_not_before_one_candidate_was_judged() -> None:
    bench, said = KnownBench([0.1] * 3), StringIO()
    found = search(bench, 3, said=said)
    found.deadline = 0.0
    assert _best(found).name == "min-max, SmoothQuant α 0.5"
    assert found.out_of_time
    assert len(bench.judged) == 1
    assert "rounding" not in said.getvalue()


def test_without_a_time_limit_no_candidate_is_judged_before_the_others_are_made() -> None:
    bench = KnownBench([0.1] * 3)
    _best(search(bench, 3))
    assert [recipe.name for recipe in bench.judged[:1]] == ["each layer's own smoothing"]


def test_the_time_limit_ends_the_safer_ones() -> None:
    found = search(KnownBench([0.04] * 12), 12)
    best = _best(found)
    safer = found.safer(best)
    assert next(safer).floating == 1
    found.deadline = 0.0
    assert list(safer) == []
    assert found.out_of_time
    assert list(replace(found, out_of_time=False).safer(best)) == [], "not even the ranking begins"


def test_the_engine_that_takes_the_graph_is_taken() -> None:
    engines = (Engine.ONNXRUNTIME, Engine.OPENVINO)
    found = search(KnownBench([0.1] * 2, refuses=lambda recipe: recipe.engine is Engine.ONNXRUNTIME), 2, engines)
    assert _best(found).engine is Engine.OPENVINO
    assert found.refusal is None


def test_an_engine_that_runs_the_products_in_float_is_taken_only_where_no_other_is() -> None:
    engines = (Engine.ONNXRUNTIME, Engine.OPENVINO)
    bench = KnownBench([0.1] * 2)
    assert _best(search(bench, 2, engines)).engine is Engine.ONNXRUNTIME
    bench.floating = {Engine.ONNXRUNTIME}
    assert _best(search(bench, 2, engines)).engine is Engine.OPENVINO
    bench.floating = set(engines)
    assert _best(search(bench, 2, engines)).engine is Engine.ONNXRUNTIME


def test_what_all_engines_refuse_is_said() -> None:
    engines = (Engine.ONNXRUNTIME, Engine.OPENVINO)
    found = search(KnownBench([0.1] * 2, refuses=lambda recipe: True), 2, engines)
    assert found.run() is None
    assert found.refusal == (
        "onnxruntime refuses it: this kernel is not implemented; openvino refuses it: this kernel is not implemented"
    )


def test_a_candidate_that_the_engine_refuses_is_passed_over() -> None:
    found = search(KnownBench(_COSTS, refuses=lambda recipe: recipe.floating == 2), len(_COSTS))
    best = _best(found)
    assert best.floating > 2
    assert found.refusal is None


def test_every_layer_that_is_rounded_is_said() -> None:
    said = StringIO()
    search(KnownBench([0.1] * 3), 3, said=said).run()
    assert "each layer's own scales: rounding product 3 of 3, w2" in said.getvalue()
