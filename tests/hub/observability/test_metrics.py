"""Health and metrics, as operators see them."""

from __future__ import annotations

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hub.observability.triton_metrics import FAMILIES, select_families
from tests.hub.stack import tiny_part

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def _samples(admin: httpx.Client) -> Samples:
    answer = admin.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def _grown(before: Samples, after: Samples, name: str, **labels: str) -> float:
    key = (name, tuple(sorted(labels.items())))
    return after[key] - before.get(key, 0.0)


def test_a_call_is_counted_with_its_units_and_its_charge(admin: httpx.Client, tenant: httpx.Client) -> None:
    before = _samples(admin)
    answer = tenant.post("/v1/infer", json={"model": "tiny", "input": [tiny_part(*range(8)) | {"shape": [2, 4]}]})
    assert answer.status_code == 200
    after = _samples(admin)
    assert _grown(before, after, "conch_requests_total", route="/v1/infer", status="200") == 1
    assert _grown(before, after, "conch_request_seconds_count", route="/v1/infer") == 1
    assert _grown(before, after, "conch_units_total", model="tiny", unit="requests") == 2
    assert _grown(before, after, "conch_rows_total", model="tiny") == 2
    assert _grown(before, after, "conch_charge_total", model="tiny") == pytest.approx(2e-6)
    assert _grown(before, after, "conch_triton_seconds_count", model="tiny") == 1


def test_errors_are_counted_by_their_code(admin: httpx.Client, tenant: httpx.Client) -> None:
    before = _samples(admin)
    tenant.get("/v1/nothing")
    tenant.post("/v1/infer", content=b"{")
    tenant.post("/v1/models", content=b"{", headers={"content-type": "application/json"})
    after = _samples(admin)
    assert _grown(before, after, "conch_errors_total", code="not_found") == 1
    assert _grown(before, after, "conch_errors_total", code="invalid_request") == 2
    assert _grown(before, after, "conch_requests_total", route="none", status="404") == 1


def test_labels_are_route_templates_and_never_a_callers_words(admin: httpx.Client, tenant: httpx.Client) -> None:
    for path in ("/v1/models/a-name-of-mine", "/v1/never-heard-of", "/v1/jobs/nonsense"):
        tenant.get(path)
    text = admin.get("/metrics").text
    assert 'route="/v1/models/{name}"' in text
    for word in ("a-name-of-mine", "never-heard-of", "nonsense", "conch_live_"):
        assert word not in text


def test_tritons_queue_and_batches_are_among_them(admin: httpx.Client) -> None:
    names = {name for name, _ in _samples(admin)}
    assert "conch_triton_queue_microseconds_total" in names
    assert "conch_triton_pending_requests" in names
    assert not [name for name in names if name.startswith("nv_")]


def test_readiness_names_every_part(tenant: httpx.Client, admin: httpx.Client) -> None:
    ready = {"postgresql": "ready", "redis": "ready", "triton": "ready", "models": "ready"}
    assert tenant.get("/readyz").json() == {"status": "ready", "parts": ready}
    samples = _samples(admin)
    assert all(samples["conch_part_ready", (("part", part),)] == 1 for part in ready)
    assert tenant.get("/healthz").json() == {"status": "alive"}


def test_families_are_renamed_and_labelled_with_their_server() -> None:
    exposition = (
        "# HELP nv_inference_count Rows\n# TYPE nv_inference_count counter\n"
        'nv_inference_count{model="v1",version="1"} 7\n'
        "# HELP nv_gpu_utilization GPU\n# TYPE nv_gpu_utilization gauge\nnv_gpu_utilization 0.5\n"
    )
    [family] = select_families(exposition, "there:1")
    assert family.name == FAMILIES["nv_inference_count"]
    [sample] = family.samples
    assert (sample.labels, sample.value) == ({"model": "v1", "version": "1", "server": "there:1"}, 7)
