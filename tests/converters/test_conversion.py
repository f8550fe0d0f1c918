"""Conversions from end to end, each in its child process."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

from converters.child import SourceInvalid, convert
from converters.report import ConversionReport
from converters.request import ConversionRequest
from converters.steps import lint
from registry.spec import runtime
from registry.spec.certificate import Arithmetic, Engine
from registry.spec.embedder import Embedder
from registry.spec.embedding import TASK
from registry.spec.session import openvino_name
from registry.spec.signature import Signature
from tests.converters.given import LIMITS, Converted, no_progress
from tests.converters.search.given import chain

_RECORDS = ["conversion.log", "reproduce.sh", "request.json"]
_WIDE = 1024  # wide enough that INT8 is faster on any machine


@pytest.mark.parametrize(("conversion", "source"), [("converted_float", "tiny_bert"), ("rejected", "onnx_encoder")])
def test_the_script_gives_the_same_bytes_elsewhere(
    conversion: str, source: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """As somebody would repeat it who downloaded the records: torch's export in float, a graph that was searched."""
    converted: Converted = request.getfixturevalue(conversion)
    again = _repeated(converted, request.getfixturevalue(source), tmp_path)
    assert again.model_directory == tmp_path / "my output" / "model"
    assert again.certificate.files == converted.report.certificate.files
    assert again.certificate.accuracy == converted.report.certificate.accuracy
    assert again.isolation == converted.report.isolation


async def test_int8_has_the_same_bytes_again(tmp_path: Path) -> None:
    """The canonical file, and what serves where the same engine was the quicker one."""
    source = tmp_path / "source"
    source.mkdir()
    onnx.save(chain(3, _WIDE), source / "model.onnx")
    rows = np.random.default_rng(0).standard_normal((512, _WIDE)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    with zipfile.ZipFile(source / "calibration.zip", "w") as archive:
        archive.write(tmp_path / "rows.npy", "rows.npy")
    request = ConversionRequest(source=source, task="tensor")
    report = await convert(request, tmp_path / "out", LIMITS, no_progress)
    assert report.certificate.precision is Arithmetic.INT8, report.certificate.reason
    (tmp_path / "again").mkdir()
    again = _repeated(Converted(report, [], tmp_path / "out"), source, tmp_path / "again")
    assert again.certificate.precision is Arithmetic.INT8, again.certificate.reason
    same_engine = again.certificate.engine is report.certificate.engine
    one, other = (
        {name: sha256 for name, sha256 in found.certificate.files.items() if same_engine or name[:6] != "model/"}
        for found in (report, again)
    )
    assert one == other
    assert "canonical/model.onnx" in one


def _repeated(converted: Converted, source: Path, here: Path) -> ConversionReport:
    """What the records of a conversion make of the same source in another place."""
    for name in ("request.json", "reproduce.sh"):
        shutil.copyfile(converted.output / name, here / name)
    shutil.copytree(source, here / "my source")
    done = subprocess.run(
        ["sh", str(here / "reproduce.sh"), "my source", "my output"],
        cwd=here,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
    return ConversionReport.model_validate(json.loads(done.stdout.splitlines()[-1])["data"])


def test_float_is_published_where_it_is_asked_for(converted_float: Converted) -> None:
    certificate = converted_float.report.certificate
    assert (certificate.verdict, certificate.precision) == ("certified", Arithmetic.FLOAT32)
    assert certificate.reason == "Published in float, because the owner asked for float32."
    assert converted_float.report.canonical == []
    assert all(metric.value > 0.99 for metric in certificate.accuracy), "the exported graph is not the original"


def test_what_is_over_the_budget_is_rejected_with_a_remedy(rejected: Converted) -> None:
    certificate = rejected.report.certificate
    assert certificate.verdict == "rejected"
    assert certificate.precision is Arithmetic.FLOAT32
    assert "below the minimum 1.5" in certificate.reason
    assert "a file that you exported yourself" in certificate.reason
    assert certificate.calibration is not None
    assert certificate.calibration.samples == 40
    assert certificate.calibration.description.endswith("calibration.txt")


def test_a_search_shows_what_it_tried(rejected: Converted) -> None:
    certificate = rejected.report.certificate
    assert len(certificate.curve) >= 3
    assert not any(point.passed or point.chosen for point in certificate.curve)
    assert all(point.loss > 1 and 0 < point.size_ratio < 1 for point in certificate.curve)
    assert all(layer.harm is not None and layer.harm >= 0 for layer in certificate.layers)
    assert sum(sum(layer.operators.values()) for layer in certificate.layers) == 4  # one layer of a BERT
    messages = [progress.message for progress in rejected.said]
    assert any("best so far: none yet" in message for message in messages)
    assert any("layer 4 of 4" in message for message in messages)


async def test_an_encoder_that_lies_about_its_limit_is_refused(onnx_encoder: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(onnx_encoder, tmp_path / "source"))
    (source / "sentence_bert_config.json").unlink()  # it has 128 positions, and 512 is assumed
    with pytest.raises(SourceInvalid, match="512 tokens") as error:
        await convert(ConversionRequest(source=source, task="embedding"), tmp_path / "out", LIMITS, no_progress)
    assert "max_seq_length" in error.value.remedy


def test_int8_is_certified_with_its_evidence(converted: Converted) -> None:
    certificate = converted.report.certificate
    assert certificate.verdict == "certified"
    assert certificate.precision is Arithmetic.INT8, certificate.reason
    assert {metric.name for metric in certificate.accuracy} == {"cosine", "nearest_kept", "rank_correlation"}
    assert certificate.held_out is not None
    assert certificate.held_out.samples >= 500
    assert certificate.size is not None
    assert certificate.size.quantized_bytes < certificate.size.float_bytes / 2
    assert certificate.peak_memory_bytes > 0
    assert certificate.lineage.canonical is not None
    assert [point.chosen for point in certificate.curve].count(True) == 1


def test_every_product_with_weights_is_counted(converted: Converted) -> None:
    operators = converted.report.certificate.operators
    assert operators is not None
    quantized = sum(layer.arithmetic is Arithmetic.INT8 for layer in converted.report.certificate.layers)
    assert sum(operators.quantized.values()) == quantized
    assert quantized >= 18  # of 24: in 6 layers query-key-value, output, two of FFN
    assert "DequantizeLinear" not in operators.floating


def test_a_certificate_is_written_for_a_reader(converted: Converted) -> None:
    certificate = converted.report.certificate
    assert list(certificate.files) == sorted(certificate.files)
    assert list(certificate.versions) == sorted(certificate.versions)
    assert {"source/model.safetensors", f"model/{_graph(converted)}", "canonical/model.onnx"} <= set(certificate.files)
    bounds = {metric.name: metric.minimum for metric in certificate.accuracy}
    assert bounds == {criterion.name: criterion.bound for criterion in TASK.criteria}
    assert all(metric.passed is (metric.low >= bounds[metric.name]) for metric in certificate.accuracy)


def test_the_model_directory_holds_exactly_what_serves(converted: Converted) -> None:
    report = converted.report
    names = sorted(p.name for p in report.model_directory.iterdir())
    assert names == [_graph(converted), "runtime.json", "tokenizer.json"]
    assert sorted(p.name for p in converted.output.iterdir()) == ["conversion.log", "made", *_RECORDS[1:]]
    assert sorted(p.name for p in report.probe.parent.iterdir()) == ["cache", "canonical", "model", "probe.json"]
    assert Signature.from_json(report.signature).outputs[0].shape == (384,)


def test_the_report_says_which_walls_held(converted: Converted) -> None:
    log = (converted.output / "conversion.log").read_text()
    assert [wall.partition(":")[0] for wall in converted.report.isolation] == [
        "files",
        "network",
        "system calls",
        "limits",
    ]
    assert all(wall in log for wall in converted.report.isolation)


def test_the_records_name_no_place_of_this_machine(converted: Converted) -> None:
    for name in ("request.json", "reproduce.sh"):
        text = (converted.output / name).read_text()
        assert str(converted.output) not in text
        assert sys.prefix not in text
        assert str(Path(__file__).parents[2]) not in text


def test_the_probe_is_what_the_files_answer(converted: Converted) -> None:
    report = converted.report
    probe = json.loads(report.probe.read_text())
    settings = runtime.read(report.model_directory / "runtime.json")
    assert isinstance(settings, runtime.EmbeddingRuntime)
    assert settings.max_tokens == 256
    texts = [base64.b64decode(text).decode() for text in probe["inputs"]["text"]["data"]]
    vectors, _ = Embedder.open(report.model_directory, settings, 1).embed(texts)
    expected = np.array(probe["outputs"]["embedding"]["data"]).reshape(probe["outputs"]["embedding"]["shape"])
    assert probe["inputs"]["text"]["shape"] == [len(expected), 1]
    np.testing.assert_allclose(vectors, expected, atol=1e-4)


def test_the_canonical_file_keeps_the_rules(converted: Converted) -> None:
    (canonical,) = converted.report.canonical
    lint.check(onnx.load(canonical))


def test_progress_moves_forward(converted: Converted) -> None:
    fractions = [progress.fraction for progress in converted.said if progress.fraction is not None]
    assert len(converted.said) >= 8
    assert fractions == sorted(fractions)
    assert any("calibrating on 256 samples" in progress.message for progress in converted.said)


def test_the_default_budget_is_the_promise() -> None:
    bounds = {criterion.name: criterion.bound for criterion in TASK.criteria}
    assert bounds == {"cosine": 0.995, "nearest_kept": 0.90, "rank_correlation": 0.995}


async def test_a_criterion_that_the_task_lacks_is_refused(tiny_bert: Path, tmp_path: Path) -> None:
    request = ConversionRequest(source=tiny_bert, task="embedding", budget={"loudness": 1})
    with pytest.raises(SourceInvalid, match="loudness") as error:
        await convert(request, tmp_path / "out", LIMITS, no_progress)
    assert "cosine" in error.value.remedy


def _graph(converted: Converted) -> str:
    """The file of the graph that serves, of whichever engine was quicker here."""
    return openvino_name("model") if converted.report.certificate.engine is Engine.OPENVINO else "model.onnx"
