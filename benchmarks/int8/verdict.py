"""A certificate against its bars, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.int8.samples import Bars
from registry.spec.certificate import Certificate


@dataclass(frozen=True)
class Line:
    """What was measured and whether it holds its bar; None where nothing was asked."""

    what: str
    measured: str
    bar: str
    holds: bool | None


def line(what: str, measured: str, value: float, *, least: float | None = None, most: float | None = None) -> Line:
    """One line; a value that is no number holds no bar."""
    if least is not None:
        return Line(what, measured, f"≥ {least:g}", value >= least)
    if most is not None:
        return Line(what, measured, f"≤ {most:g}", value <= most)
    return Line(what, measured, "reported", None)


def lines(certificate: Certificate, bars: Bars) -> Iterator[Line]:
    """Accuracy, latency and size, those without a bar too. A bar to which nothing was measured does not hold."""
    yield from _accuracy(certificate, bars)
    yield from _latency(certificate, bars)
    if certificate.size is None:
        yield line("size", "1 (float)", 1.0, most=bars.size)
    else:
        share = certificate.size.quantized_bytes / certificate.size.float_bytes
        yield line("size", f"{share:.3f}", share, most=bars.size)


def _accuracy(certificate: Certificate, bars: Bars) -> Iterator[Line]:
    for metric in certificate.accuracy:
        measured = f"{metric.value:.4f} [{metric.low:.4f}, {metric.high:.4f}]"
        least, most = bars.at_least.get(metric.name), bars.at_most.get(metric.name)
        yield line(metric.name, measured, metric.value, least=least, most=most)
    for name in sorted({*bars.at_least, *bars.at_most} - {metric.name for metric in certificate.accuracy}):
        yield _missing(name)


def _latency(certificate: Certificate, bars: Bars) -> Iterator[Line]:
    if not certificate.latency and bars.latency:  # float against itself
        yield line("time", "1 (float)", 1.0, most=min(bars.latency.values()))
        return
    for entry in certificate.latency:
        measured = f"{entry.ratio:.2f} [{entry.ratio_low:.2f}, {entry.ratio_high:.2f}]"
        most = next((bound for part, bound in bars.latency.items() if part in entry.load), None)
        yield line(f"time, {entry.load}", measured, entry.ratio, most=most)
    for part in bars.latency:
        if not any(part in entry.load for entry in certificate.latency):
            yield _missing(f"time, {part}")


def _missing(what: str) -> Line:
    return Line(what, "not measured", "", holds=False)
