"""Routes of health and metrics."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import httpx
from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.requests import Request

from hub.access.admission import Caller, keyed_router
from hub.observability.health import Health
from hub.observability.metrics import Metrics
from hub.observability.triton_metrics import select_families
from hub.settings import TritonSettings

log = logging.getLogger(__name__)

public_router = APIRouter(tags=["Operations"])
router = keyed_router("Operations")


class Alive(BaseModel):
    """The process answers."""

    status: str = "alive"


class Readiness(BaseModel):
    """Whether the hub can serve, part by part."""

    status: str
    parts: dict[str, str]


class _Gathered:
    """A collector of metrics that were fetched a moment ago."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """What Prometheus' client asks of a collector."""
        return iter(self._metrics)


@public_router.get("/healthz", summary="Whether the process is alive")
async def healthz() -> Alive:
    """Answers as long as the process does; asks nobody else."""
    return Alive()


@public_router.get("/readyz", summary="Whether the hub can serve", responses={503: {"model": Readiness}})
async def readyz(request: Request, response: Response) -> Readiness:
    """200 when every part is ready, 503 until then; no key is needed."""
    parts = await _look(request)
    ready = all(state == "ready" for state in parts.values())
    response.status_code = 200 if ready else 503
    return Readiness(status="ready" if ready else "not ready", parts=parts)


@router.get("/metrics", summary="Metrics for Prometheus (platform key)", response_class=Response)
async def metrics(request: Request, caller: Caller) -> Response:
    """The hub's metrics and Triton's most telling ones, in Prometheus' text format."""
    caller.require_admin()
    own: Metrics = request.app.state.metrics
    await _look(request)
    settings: TritonSettings = request.app.state.triton_settings
    fetched = await asyncio.gather(*(_fetch(address) for address in settings.triton_metrics_urls))
    gathered = CollectorRegistry()
    gathered.register(_Gathered([metric for metrics in fetched for metric in metrics]))
    return Response(generate_latest(own.registry) + generate_latest(gathered), media_type=CONTENT_TYPE_LATEST)


async def _look(request: Request) -> dict[str, str]:
    """The state of each part, which the metrics then show too."""
    health: Health = request.app.state.health
    metrics: Metrics = request.app.state.metrics
    parts = await health.check()
    for name, state in parts.items():
        metrics.parts.labels(name).set(state == "ready")
    return parts


async def _fetch(address: str) -> list[Metric]:
    """A server's metrics; none where it does not answer, because the hub's own must be seen just then."""
    try:
        async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
            answer = await client.get(address)
            answer.raise_for_status()
    except httpx.HTTPError as error:
        log.warning("no metrics from %s: %s", address, error)
        return []
    return list(select_families(answer.text, address))
