"""A certificate against its bars, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.int8.samples import Bars
from registry.spec.certificate import Certificate


@dataclass(frozen=True)
class Line:
    """One bar: what was measured and whether it holds; None where nothing was asked."""

    what: str
    measured: str
    bar: str
    holds: bool | None


def lines(certificate: Certificate, bars: Bars) -> Iterator[Line]:
    """Accuracy, latency and size, those without a bar too."""
    for metric in certificate.accuracy:
        measured = f"{metric.value:.4f} [{metric.low:.4f}, {metric.high:.4f}]"
        if (least := bars.at_least.get(metric.name)) is not None:
            yield Line(metric.name, measured, f"≥ {least:g}", metric.value >= least)
        elif (most := bars.at_most.get(metric.name)) is not None:
            yield Line(metric.name, measured, f"≤ {most:g}", metric.value <= most)
        else:
            yield Line(metric.name, measured, "reported", None)
    for entry in certificate.latency:
        measured = f"{entry.ratio:.2f} [{entry.ratio_low:.2f}, {entry.ratio_high:.2f}]"
        bar = next((bound for part, bound in bars.latency.items() if part in entry.load), None)
        asked = "reported" if bar is None else f"≤ {bar:g}"
        yield Line(f"time, {entry.load}", measured, asked, None if bar is None else entry.ratio <= bar)
    if certificate.size is not None:
        share = certificate.size.quantized_bytes / certificate.size.float_bytes
        asked = "reported" if bars.size is None else f"≤ {bars.size:g}"
        yield Line("size", f"{share:.3f}", asked, None if bars.size is None else share <= bars.size)
    elif bars.size is not None:
        yield Line("size", "1 (float)", f"≤ {bars.size:g}", False)
    if not certificate.latency and bars.latency:
        yield Line("time", "1 (float)", f"≤ {max(bars.latency.values()):g}", max(bars.latency.values()) >= 1)
