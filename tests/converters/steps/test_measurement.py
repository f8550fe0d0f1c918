"""The figures of a certificate: intervals, accuracy, hardware classes and what is decided on them."""

from __future__ import annotations

import numpy as np
import pytest

from converters import decision
from converters.errors import SourceInvalid
from converters.steps import accuracy, bootstrap
from converters.subject import Figure
from converters.tasks.embedding import figures
from registry.spec import hardware
from registry.spec.certificate import Arithmetic, Latency, Metric, Size
from registry.spec.chat import TASK as CHAT
from registry.spec.embedding import TASK
from registry.spec.task import Criterion

_SIZE = Size(float_bytes=100, quantized_bytes=25)


def _latency(ratio: float, high: float) -> Latency:
    return Latency(
        load="1 × 32 tokens",
        threads=1,
        float_ms=1,
        quantized_ms=ratio,
        ratio=ratio,
        ratio_low=ratio,
        ratio_high=high,
    )


def _metric(values: np.ndarray, bound: float, *, higher: bool = True, weights: np.ndarray | None = None) -> Metric:
    criterion = Criterion("kept", "", bound, higher)
    (found,) = accuracy.metrics([Figure("kept", values, weights)], [criterion], {"kept": bound}, seed=0)
    return found


def test_an_interval_holds_the_mean_and_is_the_same_again() -> None:
    values = np.random.default_rng(0).normal(3.0, 1.0, 400)
    low, high = bootstrap.weighted_interval(values, np.ones(400), seed=1)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.2)
    assert (low, high) == bootstrap.weighted_interval(values, np.ones(400), seed=1)


def test_equal_vectors_pass_and_broken_ones_do_not() -> None:
    vectors = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
    bounds = accuracy.bounds(TASK, {})
    same = accuracy.metrics(figures(vectors, vectors), TASK.criteria, bounds, seed=0)
    assert all(metric.passed for metric in same)
    assert accuracy.budget_used(same, TASK.criteria) == pytest.approx(0, abs=1e-4)
    broken = accuracy.metrics(figures(vectors, np.full_like(vectors, np.nan)), TASK.criteria, bounds, seed=0)
    assert not any(metric.passed for metric in broken)
    assert accuracy.budget_used(broken, TASK.criteria) > 1


def test_a_metric_passes_on_the_end_of_its_interval() -> None:
    values = np.array([0.0] * 15 + [1.0] * 85)
    assert not _metric(values, 0.85).passed
    assert _metric(values, 0.75).passed
    assert not _metric(1 - values, 0.15, higher=False).passed
    assert _metric(1 - values, 0.25, higher=False).passed


def test_whoever_tries_again_has_to_be_surer() -> None:
    values = np.random.default_rng(0).normal(3.0, 1.0, 400)
    widths = []
    for earlier, factor in enumerate((1.96, 2.24, 2.50, 2.73)):  # the normal distribution's quantiles
        low, high = bootstrap.weighted_interval(values, np.ones(400), 1, accuracy.confidence_after(earlier))
        assert high - low == pytest.approx(2 * factor / 20, rel=0.1)
        widths.append(high - low)
    assert widths == sorted(widths)
    missed = [1 - accuracy.confidence_after(earlier) for earlier in range(50)]
    assert sum(missed) == pytest.approx(2 * missed[0])


def test_an_error_of_few_characters_weighs_less_than_one_of_many() -> None:
    metric = _metric(np.array([1.0, 0.0]), 0.5, higher=False, weights=np.array([1.0, 99.0]))
    assert metric.value == pytest.approx(0.01)


def test_a_budget_replaces_bounds_by_name() -> None:
    assert accuracy.bounds(TASK, {"cosine": 0.5})["cosine"] == 0.5
    with pytest.raises(SourceInvalid, match="loudness"):
        accuracy.bounds(TASK, {"loudness": 0.5})


@pytest.mark.parametrize(
    ("name", "bound"),
    [("cosine", float("nan")), ("cosine", float("inf")), ("cosine", -0.5), ("nearest_kept", float("-inf"))],
)
def test_a_bound_that_says_nothing_is_refused(name: str, bound: float) -> None:
    with pytest.raises(SourceInvalid, match=name) as error:
        accuracy.bounds(TASK, {name: bound})
    assert "0 or more" in error.value.remedy


def test_a_ratio_is_never_nothing() -> None:
    with pytest.raises(SourceInvalid, match="perplexity_ratio") as error:
        accuracy.bounds(CHAT, {"perplexity_ratio": 0.0})
    assert "above 0" in error.value.remedy
    assert accuracy.bounds(CHAT, {"perplexity_ratio": 1.0, "top1_agreement": 0.0})["top1_agreement"] == 0


def test_faster_is_decided_on_the_upper_end() -> None:
    assert decision.is_faster([_latency(0.5, 0.6), _latency(0.9, 1.1)])
    assert not decision.is_faster([_latency(0.9, 1.2)])
    assert not decision.is_faster([])


_GOOD = Metric(name="cosine", value=0.99, low=0.99, high=0.99, minimum=0.98, passed=True)
_BAD = Metric(name="cosine", value=0.9, low=0.89, high=0.91, minimum=0.98, passed=False)


@pytest.mark.parametrize(
    ("arithmetic", "metric", "high", "fused", "why"),
    [
        (Arithmetic.INT8, _GOOD, 0.9, True, None),
        (Arithmetic.INT8, _GOOD, 1.2, True, "not faster here: it takes 0.90"),
        (Arithmetic.INT8, _GOOD, 0.9, False, "no engine here runs"),
        (Arithmetic.INT8, _BAD, 0.9, True, "the interval begins 0.0900 below the minimum 0.98"),
        (Arithmetic.INT8_DYNAMIC, _GOOD, 0.95, False, None),
        (Arithmetic.INT8_DYNAMIC, _GOOD, 1.1, False, "not faster"),
        (Arithmetic.INT8_WEIGHTS, _GOOD, 1.2, False, None),
        (Arithmetic.FLOAT32, _GOOD, 1.2, False, None),
        (Arithmetic.FLOAT32, _BAD, 1.2, False, "over the accuracy budget"),
    ],
)
def test_what_is_objected_to(arithmetic: Arithmetic, metric: Metric, high: float, fused: bool, why: str | None) -> None:
    found = decision.objection(arithmetic, [metric], [_latency(0.9, high)], _SIZE, fused=fused)
    assert found is None if why is None else found is not None and why in found


def test_a_shortfall_is_never_written_as_none() -> None:
    missed = Metric(name="cosine", value=0.95, low=0.919962, high=0.96, minimum=0.92, passed=False)
    assert decision.failing([missed]).endswith(
        "0.91996 to 0.9600): the interval begins 0.00004 below the minimum 0.92, though the value keeps it: "
        "more samples would tell"
    )
    over = Metric(name="error", value=0.1, low=0.1, high=0.1, maximum=0.0999999, passed=False)
    assert "0.1000000): the interval ends 0.0000001 above the maximum 0.0999999" in decision.failing([over])


def test_weights_in_int8_may_not_make_a_model_slower_or_larger() -> None:
    slow, large = _latency(1.2, 1.3), Size(float_bytes=100, quantized_bytes=101)
    assert decision.objection(Arithmetic.INT8_WEIGHTS, [_GOOD], [slow], _SIZE, fused=False)
    assert decision.objection(Arithmetic.INT8_WEIGHTS, [_GOOD], [_latency(1, 1)], large, fused=False)


def test_a_decision_says_why() -> None:
    verdict = decision.certified(Arithmetic.INT8, [_latency(0.5, 0.6)], _SIZE, [])
    assert (verdict.verdict, verdict.arithmetic) == ("certified", Arithmetic.INT8)
    assert "it takes 0.50 (1 × 32 tokens) of float's time and 0.25 of its bytes" in verdict.reason
    assert "published" not in verdict.reason
    second = decision.certified(Arithmetic.INT8, [_latency(0.5, 0.6)], _SIZE, ["INT8, the first: it is slow"])
    assert second.reason.endswith("Others came before it and were objected to: INT8, the first: it is slow.")
    floating = decision.certified(Arithmetic.FLOAT32, [], None, ["INT8 is slow", "the weights are few"])
    assert floating.reason == "Published in float, because INT8 is slow; the weights are few."
    assert "a file that you exported yourself" in decision.rejected(Arithmetic.FLOAT32, "x").reason


@pytest.mark.parametrize(
    ("flags", "expected", "saturates"),
    [
        ("fpu avx2 avx512f avx512_vnni amx_int8", "AMX-INT8", False),
        ("fpu avx2 avx512f avx512_vnni", "AVX512-VNNI", False),
        ("fpu avx2 avx_vnni", "AVX-VNNI", False),
        ("fpu avx2", "AVX2", True),
        ("fpu", "baseline", True),
    ],
)
def test_hardware_classes(flags: str, expected: str, saturates: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    cpuinfo = f"processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: {flags}\n\nprocessor\t: 1\n"
    assert (hardware.hardware_class(cpuinfo), hardware.processor(cpuinfo)) == (f"x86_64 {expected}", "Some CPU")
    assert hardware.saturates(cpuinfo) is saturates
