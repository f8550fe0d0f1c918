"""A conversion as a run in MLflow: one for each, however often it is recorded."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from registry.tracking.conversion import ConversionFailure, ConversionRecord
from registry.tracking.errors import TrackingFailed
from registry.tracking.figures import CERTIFICATE, CONVERSION_ID, VERDICT, Entry, entry_of, entry_of_failure
from registry.tracking.library import is_server, tracking_client
from registry.tracking.store import Tracking

EXPERIMENT = "conch"

_RECORDED = "conch.recorded"
"""The tag that is written last, with the verdict: a run without it was left behind half-written."""

_METRICS_AT_ONCE = 500  # MLflow takes 1000 in one request
_IDENTIFIER = re.compile(r"[\w.:\-]{1,250}", re.ASCII)  # it stands in a filter, between quotes


def record(conversion: ConversionRecord | ConversionFailure, tracking: Tracking) -> str:
    """Write the conversion's run into the experiment `conch`, and give its id.

    A conversion whose run is complete is left as it is; a run that a killed process left behind is completed, and one
    that had failed gets the verdict of a later attempt. A run with another certificate than the conversion's is
    replaced. Where writing fails, the run ends as FAILED. Only one process at a time may record the same conversion.
    It blocks. Raises `TrackingError`: TrackingUnreachable, TrackingFailed,
    TrackingMissing.
    """
    if not _IDENTIFIER.fullmatch(conversion.conversion_id):
        raise ValueError(f"not an identifier of a conversion: {conversion.conversion_id!r}")
    entry = entry_of(conversion) if isinstance(conversion, ConversionRecord) else entry_of_failure(conversion)
    with tracking_client(tracking.uri) as client:
        experiment = _experiment(client, tracking)
        run = _earlier(client, experiment, conversion.conversion_id)
        if run is not None and _is_whole(run, entry):
            return str(run.info.run_id)
        run_id = _continued(client, run, entry) or _begun(client, experiment, entry)
        _write(client, run_id, entry)
    return run_id


def _experiment(client: Any, tracking: Tracking) -> str:
    """The id of our experiment, made where it is not there; where MLflow is a database, with a place for artefacts."""
    found = client.get_experiment_by_name(EXPERIMENT) or _new_experiment(client, tracking)
    if found.lifecycle_stage != "active":
        raise TrackingFailed(
            f"The experiment {EXPERIMENT!r} was deleted in MLflow.",
            f"Restore it: mlflow experiments restore --experiment-id {found.experiment_id}.",
        )
    return str(found.experiment_id)


def _new_experiment(client: Any, tracking: Tracking) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        place = None if is_server(tracking.uri) else tracking.artefacts.absolute().as_uri()
        client.create_experiment(EXPERIMENT, artifact_location=place)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another process was quicker
            raise
    return client.get_experiment_by_name(EXPERIMENT)


def _earlier(client: Any, experiment: str, conversion_id: str) -> Any:
    """The run of an earlier attempt to record the conversion, or None."""
    condition = f"tags.`{CONVERSION_ID}` = '{conversion_id}'"
    runs = client.search_runs([experiment], filter_string=condition, order_by=["attributes.start_time ASC"])
    return runs[0] if runs else None


def _is_whole(run: Any, entry: Entry) -> bool:
    tags: Mapping[str, str] = run.data.tags
    return tags.get(_RECORDED) == entry.tags[VERDICT] and tags.get(CERTIFICATE) == entry.tags.get(CERTIFICATE)


def _continued(client: Any, run: Any, entry: Entry) -> str | None:
    """The id of the earlier run, where it can be completed; else it is deleted.

    Parameters cannot be changed, and points of metrics not be taken back: one run cannot show two certificates.
    """
    if run is None:
        return None
    run_id = str(run.info.run_id)
    same_certificate = run.data.tags.get(CERTIFICATE) in (None, entry.tags.get(CERTIFICATE))
    if same_certificate and all(entry.parameters.get(name, value) == value for name, value in run.data.params.items()):
        return run_id
    client.delete_run(run_id)
    return None


def _begun(client: Any, experiment: str, entry: Entry) -> str:
    tags = {CONVERSION_ID: entry.tags[CONVERSION_ID]}
    run = client.create_run(experiment, _milliseconds(entry.started_at), tags, entry.name)
    return str(run.info.run_id)


def _write(client: Any, run_id: str, entry: Entry) -> None:
    """Everything into the run, then its status, and `_RECORDED` at the very end."""
    written = False
    try:
        _write_values(client, run_id, entry)
        _write_artefacts(client, run_id, entry.artefacts)
        written = True
    finally:
        status = "FINISHED" if written and entry.succeeded else "FAILED"
        client.set_terminated(run_id, status, _milliseconds(entry.ended_at))
    client.set_tag(run_id, _RECORDED, entry.tags[VERDICT])


def _write_values(client: Any, run_id: str, entry: Entry) -> None:
    """Parameters, tags and metrics. The same values twice, with the same time, are one for MLflow."""
    from mlflow.entities import Metric, Param, RunTag

    client.log_batch(
        run_id,
        params=[Param(name, value) for name, value in entry.parameters.items()],
        tags=[RunTag(name, value) for name, value in entry.tags.items()],
    )
    time = _milliseconds(entry.ended_at)
    metrics = [Metric(figure.name, figure.value, time, figure.step) for figure in entry.figures]
    for start in range(0, len(metrics), _METRICS_AT_ONCE):
        client.log_batch(run_id, metrics=metrics[start : start + _METRICS_AT_ONCE])


def _write_artefacts(client: Any, run_id: str, artefacts: Mapping[str, bytes]) -> None:
    with tempfile.TemporaryDirectory(prefix="conch-run-") as directory:
        for path, content in artefacts.items():
            file = Path(directory, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        client.log_artifacts(run_id, directory)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
