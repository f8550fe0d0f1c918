"""Those of Triton's metrics that say how the models behind the hub are doing, under the hub's own names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

FAMILIES: Mapping[str, str] = {
    "nv_inference_pending_request_count": "conch_triton_pending_requests",
    "nv_inference_request_success": "conch_triton_request_success",
    "nv_inference_request_failure": "conch_triton_request_failure",
    "nv_inference_count": "conch_triton_inferences",
    "nv_inference_exec_count": "conch_triton_executions",
    "nv_inference_queue_duration_us": "conch_triton_queue_microseconds",
    "nv_inference_compute_infer_duration_us": "conch_triton_compute_microseconds",
}
"""Triton's family to ours. Executions under inferences is the mean batch; pending requests is the queue."""


def select_families(exposition: str, server: str) -> Iterator[Metric]:
    """The families worth showing out of what a server exposes, each sample labelled with the server."""
    for family in text_string_to_metric_families(exposition):
        name = FAMILIES.get(family.name)
        if name is None:
            continue
        chosen = Metric(name, family.documentation, family.type)
        for sample in family.samples:
            suffix = sample.name.removeprefix(family.name)
            chosen.add_sample(name + suffix, {**sample.labels, "server": server}, sample.value)
        yield chosen
