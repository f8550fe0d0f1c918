"""The hub's own metrics, for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.process_collector import ProcessCollector

from hub.billing.models import NANO_PER_UNIT

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """Requests, latency, errors, units and charges. Labels are routes and models, never tenants or keys."""

    def __init__(self) -> None:
        # A timestamp for every series doubles the page and tells nobody anything.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "conch_requests", "Answers by route and status.", ["route", "status"], registry=registry
        )
        self._latency = Histogram(
            "conch_request_seconds", "Time to answer.", ["route"], buckets=_SECONDS, registry=registry
        )
        self._errors = Counter("conch_errors", "Answers that were errors, by code.", ["code"], registry=registry)
        self._units = Counter("conch_units", "Units billed or reported.", ["model", "unit"], registry=registry)
        self._charge = Counter("conch_charge", "Charges, in units of the currency.", ["model"], registry=registry)
        self._rows = Counter("conch_rows", "Rows answered.", ["model"], registry=registry)
        self._triton = Histogram(
            "conch_triton_seconds", "Time spent in Triton.", ["model"], buckets=_SECONDS, registry=registry
        )
        self.parts = Gauge("conch_part_ready", "1 where a part the hub needs is ready.", ["part"], registry=registry)
        self._answers: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count an answer of a route template."""
        children = self._answers.get((route, status))
        if children is None:
            children = self._requests.labels(route, str(status)), self._latency.labels(route)
            self._answers[route, status] = children
        children[0].inc()
        children[1].observe(seconds)

    def failed(self, code: str) -> None:
        """Count an error that a caller was told."""
        self._errors.labels(code).inc()

    def called(self, model: str, units: Mapping[str, int], nano_charge: int, rows: int, seconds: float) -> None:
        """Count a call that was answered and booked."""
        for unit, count in units.items():
            self._units.labels(model, unit).inc(count)
        self._charge.labels(model).inc(nano_charge / NANO_PER_UNIT)
        self._rows.labels(model).inc(rows)
        self._triton.labels(model).observe(seconds)
