"""`conch convert`: a model and samples in, files and a signed certificate out, whatever interrupts it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hub.cli.conversion_directory import MARKER
from hub.cli.conversion_run import check
from hub.cli.convert import budget
from hub.embedded.ports import free_ports
from registry.spec.certificate import Certificate
from registry.spec.tasks import TASKS
from registry.tracking import EXPERIMENT, Tracking, TrackingMissing, tracking
from registry.tracking.library import tracking_client

_WIDTH = 512  # INT8 takes half of float's time here: that it pays does not hang on what else the machine does


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three products of 512 × 512 with ReLUs between, heavy enough that integers pay."""
    rng = np.random.default_rng(0)
    nodes, constants, value = [], [], "x"
    for layer in range(3):
        weights = (rng.standard_normal((_WIDTH, _WIDTH)) / _WIDTH**0.5).astype(np.float32)
        constants.append(numpy_helper.from_array(weights, f"w{layer}"))
        nodes.append(helper.make_node("MatMul", [value, f"w{layer}"], [f"p{layer}"]))
        value = "y" if layer == 2 else f"r{layer}"
        nodes.append(helper.make_node("Relu", [f"p{layer}"], [value]))
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", _WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", _WIDTH])],
        constants,
    )
    path = tmp_path_factory.mktemp("products") / "products.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 rows of the model's input."""
    rows = np.random.default_rng(1).standard_normal((240, _WIDTH)).astype(np.float32)
    path = tmp_path_factory.mktemp("samples") / "rows.jsonl"
    path.write_text("".join(json.dumps({"inputs": {"x": row.tolist()}}) + "\n" for row in rows))
    return path


def _command(model: Path | str, output: Path, *options: str) -> list[str]:
    key = output.parent / "signing-key.pem"
    task = ("--task", "tensor", "--output", str(output), "--key", str(key))
    return [sys.executable, "-m", "hub", "convert", str(model), *task, *options]


def _convert(model: Path | str, output: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(model, output, *options),
        capture_output=True,
        text=True,
        timeout=280,
        env={**os.environ, **environment},
        check=False,
    )


def _digests(directory: Path) -> dict[str, str]:
    """SHA-256 of each file of a directory."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


def _same_bytes(one: Path, other: Path) -> tuple[Any, Any]:
    """The certificates of two conversions, which have made the same bytes wherever they have chosen the same.

    Whether integers pay, and which engine is quicker, is measured anew each time, on a machine that does other things.
    """
    first, second = (json.loads((out / "certificate.json").read_text())["certificate"] for out in (one, other))
    if first["precision"] == second["precision"] == "int8":
        assert _digests(one / "canonical") == _digests(other / "canonical") != {}
    if (first["precision"], first["engine"]) == (second["precision"], second["engine"]):
        assert first["files"] == second["files"]
        assert _digests(one / "model") == _digests(other / "model") != {}
    inputs = [{n: sha for n, sha in c["files"].items() if n.startswith("source/")} for c in (first, second)]
    assert inputs[0] == inputs[1] != {}
    return first, second


@pytest.fixture(scope="module")
def converted(model: Path, samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a conversion that nothing interrupted."""
    output = tmp_path_factory.mktemp("converted") / "out"
    done = _convert(model, output, "--calibration", str(samples))
    assert done.returncode == 0, done.stderr
    return output


def test_a_model_is_converted_judged_on_the_owners_rows_and_signed(model: Path, samples: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    done = _convert(model, output, "--calibration", str(samples), "--budget", "cosine=0.98", "--json")
    assert done.returncode == 0, done.stderr
    certificate = Certificate.model_validate(json.loads(done.stdout)["certificate"])
    assert certificate.verdict == "certified"
    assert certificate.held_out is not None
    assert certificate.held_out.samples == 96
    assert "calibration.jsonl" in certificate.held_out.description
    assert {metric.name: metric.minimum for metric in certificate.accuracy}["cosine"] == 0.98
    made = {"canonical", "certificate.html", "certificate.json", "model", "probe.json"}
    assert {path.name for path in output.iterdir()} == made | {"conversion.log", "reproduce.sh", "request.json"}
    verified = subprocess.run(
        [sys.executable, "-m", "hub", "certificate", "verify", str(output / "certificate.json")], capture_output=True
    )
    assert verified.returncode == 0
    assert "<svg" in (output / "certificate.html").read_text()


def test_the_same_model_and_samples_give_the_same_bytes(
    model: Path, samples: Path, converted: Path, tmp_path: Path
) -> None:
    again = tmp_path / "out"
    assert _convert(model, again, "--calibration", str(samples)).returncode == 0
    first, second = _same_bytes(converted, again)
    for name in ("source", "calibration"):
        assert first["lineage"][name] == second["lineage"][name] is not None
    assert first["held_out"] == second["held_out"]


def test_without_samples_the_model_is_published_in_float(model: Path, tmp_path: Path) -> None:
    done = _convert(model, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "no calibration data" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--budget", "cosine"), "CRITERION=NUMBER"),
        (("--budget", "loudness=1"), "its criteria are cosine, relative_error, max_error"),
        (("--budget", "cosine=1.5"), "cosine is at most 1"),
        (("--task", "tensors"), "the tasks are chat, classification"),
        (("--mlflow", "file:/mlruns"), "sqlite:"),
        (("--budget", "cosine=nan"), "budget.cosine: Input should be a finite number"),
        (("--budget", "cosine=-inf"), "budget.cosine"),
        (("--time-limit", "nan"), "--time-limit"),
        (("--time-limit", "-5"), "--time-limit"),
        (("--precision", "int3"), "precision"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    options: tuple[str, ...], said: str, model: Path, samples: Path, tmp_path: Path
) -> None:
    done = _convert(model, tmp_path / "out", "--calibration", str(samples), *options)
    assert done.returncode != 0
    assert said in " ".join(re.sub("[│╭╮╰╯─]", " ", done.stderr).split())
    assert "Traceback" not in done.stderr


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = _convert(tmp_path / "nothing.onnx", tmp_path / "out")
    assert done.returncode == 1
    assert "nothing.onnx" in done.stderr
    assert "models:/name/3" in done.stderr


def test_a_result_is_never_written_over(model: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "mine").write_text("x")
    done = _convert(model, output)
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    assert [path.name for path in output.iterdir()] == ["mine"]


def test_a_directory_with_a_cache_of_its_own_is_left_alone(model: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    (output / "cache").mkdir(parents=True)
    (output / "photographs").mkdir()
    (output / "photographs" / "mine").write_text("x")
    done = _convert(model, output)
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    assert (output / "photographs" / "mine").read_text() == "x"


@pytest.mark.parametrize("place", ["afile/x", "/proc/x"])
def test_an_output_that_cannot_be_made_is_told_in_one_line(place: str, model: Path, tmp_path: Path) -> None:
    (tmp_path / "afile").write_text("x")
    key = str(tmp_path / "signing-key.pem")
    done = _convert(model, tmp_path / place, "--key", key)
    assert done.returncode == 1
    assert done.stderr.startswith("conch: The output ")
    assert done.stderr.count("\n") == 1


def test_what_the_system_refuses_is_told_in_one_line(model: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / MARKER).write_text(f"{uuid4()}\n")
    (output / "cache").write_text("no directory")
    done = _convert(model, output)
    assert done.returncode == 1
    assert f"conch: {output / 'cache'} cannot be read or written (File exists)" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_that_cannot_sign_costs_no_conversion(model: Path, tmp_path: Path) -> None:
    output, key = tmp_path / "out", tmp_path / "bad.pem"
    key.write_text("no key")
    for _ in range(2):
        done = _convert(model, output, "--key", str(key))
        assert done.returncode == 1
        assert "holds no private key" in done.stderr
        assert done.stderr.count("\n") == 1
        assert [path.name for path in output.iterdir()] == [MARKER]
    (output / "cache").mkdir()
    (output / "cache" / "findings").write_text("x")
    assert _convert(model, output, "--key", str(key)).returncode == 1
    assert (output / "cache" / "findings").exists()
    key.unlink()
    done = _convert(model, output, "--key", str(key))
    assert done.returncode == 0, done.stderr
    assert not (output / "cache").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_conversion_that_is_ended_goes_on_where_it_was(
    number: signal.Signals, model: Path, samples: Path, converted: Path, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    output = _interrupted(model, samples, tmp_path, number, temporary)
    assert list(temporary.iterdir()) == []
    (output / "notes").write_text("mine")
    found = (output / "cache" / "journal.jsonl").read_bytes().count(b"\n")
    again = _convert(model, output, "--calibration", str(samples))
    assert again.returncode == 0, again.stderr
    assert f"{found} findings of an earlier attempt" in (output / "conversion.log").read_text()
    assert {path.name for path in output.iterdir()} == {path.name for path in converted.iterdir()} | {"notes"}
    resumed, whole = _same_bytes(output, converted)
    assert resumed["verdict"] == whole["verdict"]
    assert resumed["lineage"]["source"] == whole["lineage"]["source"]


def _interrupted(model: Path, samples: Path, tmp_path: Path, number: signal.Signals, temporary: Path) -> Path:
    """The output of a conversion that was ended when it had found something out.

    On a machine where this process does not get to run for a second, the conversion may be quicker: then another is.
    """
    for attempt in range(10):
        output = tmp_path / f"out{attempt}"
        process = subprocess.Popen(
            _command(model, output, "--calibration", str(samples)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(temporary)},
        )
        journal = output / "cache" / "journal.jsonl"
        while process.poll() is None and not (journal.exists() and b"\n" in journal.read_bytes()):
            time.sleep(0.005)
        process.send_signal(number)
        process.wait()
        if (output / MARKER).exists():
            return output
    raise AssertionError("no conversion was ended before its end")


def test_progress_is_told_where_nobody_looks_at_a_terminal(model: Path, samples: Path, tmp_path: Path) -> None:
    done = _convert(model, tmp_path / "out", "--calibration", str(samples))
    assert re.search(r"^\[\d+ s\] judging .+; best so far: ", done.stderr, re.MULTILINE)


def test_the_help_has_every_task_the_defaults_and_an_example() -> None:
    command = [sys.executable, "-m", "hub", "convert", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"}, check=True)
    shown = " ".join(re.sub("[│╭╮╰╯─]", " ", done.stdout).split())
    assert all(task in shown for task in TASKS)
    assert "conch convert model.onnx --task detection -o out" in shown
    for default in ("(those of the task)", "int8]", "(none)", "data/signing-key.pem", "(no run)"):
        assert f"[default: {default}" in shown


@pytest.fixture
def store(tmp_path: Path) -> Tracking:
    """An MLflow of the test's own."""
    return tracking(tmp_path / "store", f"sqlite:///{tmp_path / 'mlflow.db'}")


def _runs(store: Tracking) -> list[Any]:
    with tracking_client(store.uri) as client:
        experiment = client.get_experiment_by_name(EXPERIMENT)
        return [] if experiment is None else list(client.search_runs([experiment.experiment_id]))


def test_a_conversion_is_a_run_where_it_is_asked_for(
    model: Path, samples: Path, store: Tracking, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    options = ("--calibration", str(samples), "--budget", "cosine=0.98")
    done = _convert(model, output, *options, MLFLOW_TRACKING_URI=store.uri)
    assert done.returncode == 0, done.stderr
    certificate = json.loads((output / "certificate.json").read_text())["certificate"]
    [run] = _runs(store)
    assert (run.info.run_name, run.info.status) == ("products", "FINISHED")
    assert run.data.params["budget"] == '{"cosine": 0.98}'
    assert run.data.tags["conch.verdict"] == "certified"
    assert run.data.tags["conch.source_uri"] == f"sha256:{certificate['lineage']['source']}"
    assert "accuracy/cosine" in run.data.metrics
    with tracking_client(store.uri) as client:
        names = {entry.path for entry in client.list_artifacts(run.info.run_id)}
        copy = client.download_artifacts(run.info.run_id, "certificate.json", str(tmp_path))
    assert names == {"certificate.json", "certificate.html", "plots", "logs"}
    assert Path(copy).read_bytes() == (output / "certificate.json").read_bytes()


def test_a_conversion_that_fails_is_a_failed_run(model: Path, samples: Path, store: Tracking, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("a text\n" * 300)
    options = ("--mlflow", store.uri, "--calibration")
    done = _convert(model, tmp_path / "out", *options, str(tmp_path / "texts.txt"))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    [run] = _runs(store)
    assert (run.info.status, run.data.tags["conch.verdict"]) == ("FAILED", "failed")
    assert "calibration.txt" in run.data.tags["mlflow.note.content"]
    done = _convert(model, tmp_path / "out", *options, str(samples))
    assert done.returncode == 0, done.stderr
    [run] = _runs(store)
    assert (run.info.status, run.data.tags["conch.verdict"]) == ("FINISHED", "certified")


def test_an_mlflow_that_is_away_costs_the_run_only(model: Path, tmp_path: Path) -> None:
    done = _convert(model, tmp_path / "out", "--mlflow", f"http://127.0.0.1:{free_ports(1)[0]}")
    assert done.returncode == 0, done.stderr
    assert "conch: the conversion is not recorded in MLflow" in done.stderr
    assert (tmp_path / "out" / "certificate.json").exists()
    assert not (tmp_path / "out" / MARKER).exists()


def test_a_run_that_could_not_be_recorded_is_told_before_the_conversion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(TrackingMissing, match="mlflow is not installed"):
        check("http://127.0.0.1:5000")
    check(None)


def test_a_budget_is_read_by_name() -> None:
    assert budget(["cosine=0.99", " rank = 0.5"]) == {"cosine": 0.99, "rank": 0.5}
