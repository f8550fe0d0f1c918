"""The figures of a certificate: intervals, accuracy, hardware classes and what is decided on them."""

from __future__ import annotations

import numpy as np
import pytest

from converters import decision
from converters.request import AccuracyBudget
from converters.steps import accuracy, bootstrap, hardware
from registry.spec.certificate import Latency, Metric, Precision


def _latency(ratio: float, high: float) -> Latency:
    return Latency(
        rows=1, tokens=32, threads=1, float_ms=1, quantized_ms=ratio, ratio=ratio, ratio_low=ratio, ratio_high=high
    )


def test_an_interval_holds_the_mean_and_is_the_same_again() -> None:
    values = np.random.default_rng(0).normal(3.0, 1.0, 400)
    low, high = bootstrap.interval(values, bootstrap.mean, seed=1)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.2)
    assert (low, high) == bootstrap.interval(values, bootstrap.mean, seed=1)


def test_equal_vectors_pass_and_broken_ones_do_not() -> None:
    vectors = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
    assert all(metric.passed for metric in accuracy.judge(vectors, vectors, AccuracyBudget(), seed=0))
    broken = np.full_like(vectors, np.nan)
    assert not any(metric.passed for metric in accuracy.judge(vectors, broken, AccuracyBudget(), seed=0))


def test_a_metric_passes_on_the_lower_end_of_its_interval() -> None:
    values = np.array([0.0] * 15 + [1.0] * 85)
    assert not accuracy.metric("kept", values, 0.85, seed=0).passed
    assert accuracy.metric("kept", values, 0.75, seed=0).passed


def test_faster_is_decided_on_the_upper_end() -> None:
    assert decision.is_faster([_latency(0.5, 0.6), _latency(0.9, 1.1)])
    assert not decision.is_faster([_latency(0.9, 1.2)])
    assert not decision.is_faster([])


_GOOD = Metric(name="cosine", value=0.99, low=0.99, high=0.99, minimum=0.98, passed=True)
_BAD = Metric(name="cosine", value=0.9, low=0.89, high=0.91, minimum=0.98, passed=False)


def test_int8_is_published_where_it_is_accurate_fused_and_faster() -> None:
    assert decision.why_floating([_GOOD], [_latency(0.5, 0.6)], fused=True) is None
    verdict = decision.quantized([_GOOD], [_latency(0.5, 0.6)])
    assert (verdict.verdict, verdict.precision) == ("certified", Precision.INT8)
    assert "it takes 0.50 (1 × 32 tokens) of float's time" in verdict.reason


@pytest.mark.parametrize(
    ("high", "fused", "why"), [(1.2, True, "not faster here: it takes 0.90"), (0.6, False, "does not run")]
)
def test_float_is_published_where_int8_does_not_pay(high: float, fused: bool, why: str) -> None:
    reason = decision.why_floating([_GOOD], [_latency(0.9, high)], fused=fused)
    assert reason is not None
    assert why in reason
    verdict = decision.floating([_GOOD], reason)
    assert (verdict.verdict, verdict.precision) == ("certified", Precision.FLOAT32)
    assert verdict.reason == f"Published in float, because {reason}."


def test_what_is_not_accurate_is_rejected_at_any_speed() -> None:
    for high, fused in ((0.6, True), (1.2, True), (0.6, False)):
        assert decision.why_floating([_BAD], [_latency(0.5, high)], fused=fused) is None
    assert decision.floating([_BAD], "x").verdict == "rejected"


def test_a_rejection_says_by_how_much_and_what_to_do() -> None:
    verdict = decision.quantized([_BAD], [])
    assert (verdict.verdict, verdict.precision) == ("rejected", Precision.INT8)
    assert "0.0900 below the minimum 0.98" in verdict.reason
    assert "float32" in verdict.reason


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
    described = hardware.describe(cpuinfo)
    assert (described.hardware_class, described.processor) == (f"x86_64 {expected}", "Some CPU")
    assert hardware.saturates(cpuinfo) is saturates
