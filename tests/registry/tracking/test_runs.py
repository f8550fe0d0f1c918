"""A conversion is one run in MLflow, whatever happens while it is written."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from registry.spec.certificate import Arithmetic, Engine
from registry.tracking import EXPERIMENT, ConversionFailure, Tracking, TrackingFailed, record
from registry.tracking.library import tracking_client
from tests.registry.tracking.records import ENDED_AT, certificate, conversion

Runs = Callable[[str], list[Any]]


@pytest.fixture
def runs(store: Tracking) -> Runs:
    """Every run of a conversion."""

    def found(conversion_id: str) -> list[Any]:
        with tracking_client(store.uri) as client:
            experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
            runs = client.search_runs([experiment], f"tags.`conch.conversion_id` = '{conversion_id}'")
        return list(runs)

    return found


def artefact(store: Tracking, run_id: str, path: str, directory: Path) -> bytes:
    with tracking_client(store.uri) as client:
        return Path(client.download_artifacts(run_id, path, str(directory))).read_bytes()


def test_a_run_says_what_was_asked_what_was_measured_and_where_it_came_from(store: Tracking, runs: Runs) -> None:
    run_id = record(conversion("all"), store)
    [run] = runs("all")
    assert (run.info.run_id, run.info.run_name, run.info.status) == (run_id, "minilm", "FINISHED")
    assert run.info.end_time - run.info.start_time == 90_000
    assert run.data.params == {
        "task": "embedding",
        "budget": '{"cosine": 0.98}',
        "seed": "7",
        "precision": "int8",
        "engine": "onnxruntime",
    }
    metrics = run.data.metrics
    assert [metrics[f"accuracy/cosine{end}"] for end in ("", "/low", "/high")] == [0.998, 0.997, 0.999]
    assert [metrics[f"latency/{rows}x32_tokens/ratio"] for rows in (8, 1)] == [0.5, 0.6]
    assert (metrics["size/ratio"], metrics["seconds"], metrics["peak_memory_bytes"]) == (0.25, 90.0, 2.0**30)
    expected = {
        "conch.conversion_id": "all",
        "conch.verdict": "certified",
        "conch.source_uri": "models:/minilm/1",
        "conch.version": "0.1.0",
        "conch.model_version": "3",
        "conch.lineage.source": "a" * 64,
        "conch.lineage.calibration": "c" * 64,
        "conch.lineage.served": "e" * 64,
        "mlflow.note.content": "Cosine 0.998 is above 0.98.",
    }
    assert expected.items() <= run.data.tags.items()


def test_the_curve_has_a_step_for_each_candidate(store: Tracking) -> None:
    run_id = record(conversion("curve"), store)
    with tracking_client(store.uri) as client:
        history = {
            name: client.get_metric_history(run_id, f"curve/{name}") for name in ("loss", "figures/cosine", "chosen")
        }
    values = {name: [(entry.step, entry.value) for entry in entries] for name, entries in history.items()}
    assert values == {
        "loss": [(0, 0.4), (1, 0.1)],
        "figures/cosine": [(0, 0.9), (1, 0.95)],
        "chosen": [(0, 0.0), (1, 1.0)],
    }


def test_the_signed_certificate_is_kept_to_the_byte_with_page_plots_and_logs(store: Tracking, tmp_path: Path) -> None:
    run_id = record(conversion("files"), store)
    assert artefact(store, run_id, "certificate.json", tmp_path) == b'{"signature": "s"}'
    assert artefact(store, run_id, "certificate.html", tmp_path) == b"<html>page</html>"
    assert artefact(store, run_id, "plots/curve.svg", tmp_path) == b"<svg/>"
    assert artefact(store, run_id, "logs/child.log", tmp_path) == b"a line\n"


def test_recording_again_changes_nothing(store: Tracking, runs: Runs) -> None:
    first = record(conversion("twice"), store)
    [before] = runs("twice")
    assert record(conversion("twice", page="another"), store) == first
    [after] = runs("twice")
    assert after.to_dictionary() == before.to_dictionary()


def test_a_conversion_that_was_repeated_shows_the_certificate_that_its_version_has(
    store: Tracking, runs: Runs, tmp_path: Path
) -> None:
    """A kill between the run and the version: the conversion is made again, with the same verdict."""
    first = record(conversion("repeated"), store)
    later = certificate(curve=certificate().curve[:1], created_at=ENDED_AT + timedelta(hours=1))
    again = conversion("repeated", certificate=later, signed_certificate=b'{"signature": "t"}')
    assert record(again, store) != first
    [run] = runs("repeated")
    assert artefact(store, run.info.run_id, "certificate.json", tmp_path) == b'{"signature": "t"}'
    assert run.data.tags["conch.certificate"] == hashlib.sha256(b'{"signature": "t"}').hexdigest()
    with tracking_client(store.uri) as client:
        assert len(client.get_metric_history(run.info.run_id, "curve/loss")) == 1


def test_a_run_that_a_killed_process_left_is_completed(store: Tracking, runs: Runs) -> None:
    record(conversion("before"), store)
    with tracking_client(store.uri) as client:
        experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
        left = client.create_run(experiment, tags={"conch.conversion_id": "killed"}).info.run_id
        client.log_param(left, "seed", "7")
        client.log_metric(left, "seconds", 90.0, int(ENDED_AT.timestamp() * 1000))
    assert runs("killed")[0].info.status == "RUNNING"
    assert record(conversion("killed"), store) == left
    [run] = runs("killed")
    assert (run.info.status, run.data.params["engine"]) == ("FINISHED", "onnxruntime")
    with tracking_client(store.uri) as client:
        assert [entry.value for entry in client.get_metric_history(left, "seconds")] == [90.0]


def test_half_a_run_with_other_parameters_is_replaced(store: Tracking, runs: Runs) -> None:
    record(conversion("before"), store)
    with tracking_client(store.uri) as client:
        experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
        left = client.create_run(experiment, tags={"conch.conversion_id": "other"}).info.run_id
        client.log_param(left, "engine", "openvino")
    assert record(conversion("other"), store) != left
    [run] = runs("other")
    assert run.data.params["engine"] == "onnxruntime"


def test_a_run_that_cannot_be_written_ends_as_failed_and_can_be_written_later(
    own_store: Tracking,
) -> None:
    own_store.artefacts.write_text("not a directory")
    with pytest.raises(TrackingFailed) as caught:
        record(conversion("full"), own_store)
    assert "space" in caught.value.remedy
    with tracking_client(own_store.uri) as client:
        experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
        [run] = client.search_runs([experiment])
        assert run.info.status == "FAILED"
        own_store.artefacts.unlink()
        assert record(conversion("full"), own_store) == run.info.run_id
        [run] = client.search_runs([experiment])
        assert run.info.status == "FINISHED"


def test_a_rejection_is_a_finished_run(store: Tracking, runs: Runs) -> None:
    rejected = certificate(verdict="rejected", precision=Arithmetic.FLOAT32, engine=Engine.OPENVINO, size=None)
    record(conversion("rejected", certificate=rejected, page=None, plots={}, logs={}, budget={}), store)
    [run] = runs("rejected")
    assert (run.info.status, run.data.tags["conch.verdict"]) == ("FINISHED", "rejected")
    assert (run.data.params["budget"], run.data.params["precision"]) == ("the task's", "float32")


def test_a_failed_conversion_is_a_failed_run_until_a_later_attempt_succeeds(
    store: Tracking, runs: Runs, tmp_path: Path
) -> None:
    failure = ConversionFailure(
        conversion_id="retried",
        model="minilm",
        task="embedding",
        source_uri="models:/minilm/1",
        budget={"cosine": 0.98},
        seed=7,
        conch_version="0.1.0",
        message="The conversion needed more than the 12.0 GB of memory.",
        started_at=ENDED_AT - timedelta(hours=1),
        ended_at=ENDED_AT - timedelta(minutes=30),
        logs={"child.log": "Killed\n"},
    )
    run_id = record(failure, store)
    [run] = runs("retried")
    assert (run.info.status, run.data.tags["conch.verdict"], run.data.metrics) == (
        "FAILED",
        "failed",
        {"seconds": 1800},
    )
    assert run.data.tags["mlflow.note.content"].startswith("The conversion needed more")
    assert artefact(store, run_id, "logs/child.log", tmp_path) == b"Killed\n"
    assert record(conversion("retried"), store) == run_id
    [run] = runs("retried")
    assert (run.info.status, run.data.tags["conch.verdict"]) == ("FINISHED", "certified")


def test_names_that_mlflow_would_refuse_are_rewritten(store: Tracking, runs: Runs, tmp_path: Path) -> None:
    odd = certificate(accuracy=[certificate().accuracy[0].model_copy(update={"name": "IoU > 0.5 (%)"})])
    run_id = record(conversion("odd", certificate=odd, plots={"../a b.svg": "<svg/>"}, tags={"t": "x" * 9000}), store)
    [run] = runs("odd")
    assert run.data.metrics["accuracy/IoU_0.5"] == 0.998
    assert len(run.data.tags["t"]) == 5000
    assert artefact(store, run_id, "plots/_a_b.svg", tmp_path) == b"<svg/>"


def test_more_points_than_one_request_holds_are_all_recorded(store: Tracking) -> None:
    [point, _] = certificate().curve
    run_id = record(conversion("long", certificate=certificate(curve=[point] * 300)), store)
    with tracking_client(store.uri) as client:
        assert len(client.get_metric_history(run_id, "curve/loss")) == 300


@pytest.mark.parametrize("identifier", ["", "a' OR 'a' = 'a", "a\nb", "x" * 251])
def test_an_identifier_that_would_not_fit_a_filter_is_a_mistake_of_the_caller(identifier: str, store: Tracking) -> None:
    with pytest.raises(ValueError, match="not an identifier"):
        record(conversion(identifier), store)


def test_a_deleted_experiment_is_said_with_the_command_that_restores_it(own_store: Tracking) -> None:
    record(conversion("first"), own_store)
    with tracking_client(own_store.uri) as client:
        client.delete_experiment(client.get_experiment_by_name(EXPERIMENT).experiment_id)
    with pytest.raises(TrackingFailed) as caught:
        record(conversion("second"), own_store)
    assert "mlflow experiments restore" in caught.value.remedy


async def test_the_first_conversions_may_be_recorded_at_once(own_store: Tracking) -> None:
    recorded = await asyncio.gather(
        *(asyncio.to_thread(record, conversion(f"at-once-{i}"), own_store) for i in range(4))
    )
    with tracking_client(own_store.uri) as client:
        runs = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])
    assert {(run.info.run_id, run.info.status) for run in runs} == {(run_id, "FINISHED") for run_id in recorded}
