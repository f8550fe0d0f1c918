"""`conch convert`: a model and samples in, files and a signed certificate out, whatever interrupts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hub.cli.convert import budget
from registry.spec.certificate import Certificate

_WIDTH = 256


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three products of 256 × 256 with ReLUs between, heavy enough that integers pay."""
    rng = np.random.default_rng(0)
    nodes, constants, value = [], [], "x"
    for layer in range(3):
        weights = (rng.standard_normal((_WIDTH, _WIDTH)) / 16).astype(np.float32)
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


def _command(model: Path, output: Path, *options: str) -> list[str]:
    key = output.parent / "signing-key.pem"
    task = ("--task", "tensor", "--output", str(output), "--key", str(key))
    return [sys.executable, "-m", "hub", "convert", str(model), *task, *options]


def _convert(model: Path, output: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_command(model, output, *options), capture_output=True, text=True, timeout=280)


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
    assert sorted(path.name for path in output.iterdir() if path.is_dir()) == sorted(
        {"model", *(["canonical"] if certificate.lineage.canonical else [])}
    )
    verified = subprocess.run(
        [sys.executable, "-m", "hub", "certificate", "verify", str(output / "certificate.json")], capture_output=True
    )
    assert verified.returncode == 0
    assert "<svg" in (output / "certificate.html").read_text()


def test_the_same_model_and_samples_give_the_same_bytes(model: Path, samples: Path, tmp_path: Path) -> None:
    first, second = (
        json.loads(_convert(model, tmp_path / name, "--calibration", str(samples), "--json").stdout)["certificate"]
        for name in ("one", "two")
    )
    assert first["lineage"]["source"] == second["lineage"]["source"]
    assert first["lineage"]["calibration"] == second["lineage"]["calibration"]
    # Which engine is quicker, and whether INT8 pays, is measured anew: on a busy machine two runs may differ in that.
    if (first["engine"], first["precision"]) == (second["engine"], second["precision"]):
        assert first["files"] == second["files"]
        assert first["accuracy"] == second["accuracy"]


def test_without_samples_the_model_is_published_in_float(model: Path, tmp_path: Path) -> None:
    done = _convert(model, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "no calibration data" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--budget", "cosine"), "CRITERION=NUMBER"),
        (("--budget", "loudness=1"), "loudness"),
        (("--precision", "int3"), "precision"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    options: tuple[str, ...], said: str, model: Path, samples: Path, tmp_path: Path
) -> None:
    done = _convert(model, tmp_path / "out", "--calibration", str(samples), *options)
    assert done.returncode != 0
    assert said in done.stderr
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


def test_a_conversion_that_is_killed_goes_on_where_it_was(model: Path, samples: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    command = _command(model, output, "--calibration", str(samples))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    journal = output / "cache" / "journal.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (journal.exists() and journal.read_bytes().count(b"\n") >= 4):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (output / "certificate.json").exists(), "it ended before it was killed"
    found = journal.read_bytes()
    again = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert again.returncode == 0, again.stderr
    assert (output / "certificate.json").exists()
    log = (output / "conversion.log").read_text()
    assert f"{found.count(chr(10).encode())} findings of an earlier attempt" in log


def test_a_budget_is_read_by_name() -> None:
    assert budget(["cosine=0.99", " rank = 0.5"]) == {"cosine": 0.99, "rank": 0.5}
