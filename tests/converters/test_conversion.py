"""A conversion from end to end, in its child process, of a small encoder."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from converters.child import SourceInvalid, convert
from converters.progress import Progress
from converters.report import ConversionReport
from converters.request import AccuracyBudget, ConversionRequest
from converters.steps import lint
from registry.spec import runtime
from registry.spec.certificate import Precision
from registry.spec.embedder import Embedder
from registry.spec.signature import Signature
from tests.converters.given import LIMITS, no_progress

Converted = tuple[ConversionReport, list[Progress]]


def test_int8_is_certified_with_its_evidence(converted: Converted) -> None:
    report, _ = converted
    certificate = report.certificate
    assert certificate.verdict == "certified"
    assert certificate.precision is Precision.INT8, certificate.reason
    assert {metric.name for metric in certificate.accuracy} == {"cosine", "nearest_kept", "rank_correlation"}
    assert certificate.held_out is not None
    assert certificate.held_out.samples >= 500
    assert certificate.operators is not None
    assert (
        certificate.operators.quantized["MatMulIntegerToFloat"] == 8
    )  # 2 layers of query-key-value, output, two of FFN
    assert certificate.size is not None
    assert certificate.size.quantized_bytes < certificate.size.float_bytes / 2
    assert "source/model.safetensors" in certificate.files
    assert report.peak_memory_bytes > 0


def test_the_model_directory_holds_exactly_what_serves(converted: Converted) -> None:
    report, _ = converted
    assert sorted(p.name for p in report.model_directory.iterdir()) == ["model.onnx", "runtime.json", "tokenizer.json"]
    assert sorted(p.name for p in report.reproduce.parent.iterdir()) == [
        "canonical",
        "conversion.log",
        "model",
        "probe.json",
        "reproduce.sh",
        "request.json",
    ]
    assert Signature.from_json(report.signature).outputs[0].shape == (256,)


def test_the_probe_is_what_the_files_answer(converted: Converted) -> None:
    report, _ = converted
    probe = json.loads(report.probe.read_text())
    settings = runtime.read(report.model_directory / "runtime.json")
    assert isinstance(settings, runtime.EmbeddingRuntime)
    assert settings.max_tokens == 64
    vectors, _ = Embedder(report.model_directory, settings, 1).embed(probe["inputs"]["text"]["data"])
    expected = np.array(probe["outputs"]["embedding"]["data"]).reshape(probe["outputs"]["embedding"]["shape"])
    assert probe["inputs"]["text"]["shape"] == [len(expected), 1]
    np.testing.assert_allclose(vectors, expected, atol=1e-4)


def test_the_canonical_file_keeps_the_rules(converted: Converted) -> None:
    report, _ = converted
    assert report.canonical is not None
    lint.check(onnx.load(report.canonical))


def test_progress_moves_forward(converted: Converted) -> None:
    _, said = converted
    fractions = [progress.fraction for progress in said if progress.fraction is not None]
    assert len(said) >= 8
    assert fractions == sorted(fractions)
    assert any("calibrating on 256 texts" in progress.message for progress in said)


async def test_the_script_gives_the_same_bytes_again(converted: Converted, tmp_path: Path) -> None:
    report, _ = converted
    process = await asyncio.create_subprocess_exec(
        str(report.reproduce),
        str(tmp_path / "again"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    again = ConversionReport.model_validate(json.loads(output.splitlines()[-1])["data"])
    assert again.certificate.files == report.certificate.files
    assert again.certificate.accuracy == report.certificate.accuracy


def test_float_is_published_where_it_is_asked_for(converted_float: ConversionReport) -> None:
    certificate = converted_float.certificate
    assert (certificate.verdict, certificate.precision) == ("certified", Precision.FLOAT32)
    assert "asked for" in certificate.reason
    assert converted_float.canonical is None
    assert all(metric.value > 0.99 for metric in certificate.accuracy), "the exported graph is not the original"


@pytest.fixture
def onnx_encoder(converted_float: ConversionReport, tiny_bert: Path, tmp_path: Path) -> Path:
    """The tiny BERT as an owner would hand it in who exported it."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("model.onnx", "tokenizer.json"):
        shutil.copyfile(converted_float.model_directory / name, source / name)
    shutil.copyfile(tiny_bert / "sentence_bert_config.json", source / "sentence_bert_config.json")
    return source


async def test_what_is_over_the_budget_is_rejected_with_a_remedy(onnx_encoder: Path, tmp_path: Path) -> None:
    (onnx_encoder / "calibration.txt").write_text("\n".join(f"number {i} of shells and tides" for i in range(40)))
    request = ConversionRequest(source=onnx_encoder, task="embedding", budget=AccuracyBudget(cosine=1.0))
    report = await convert(request, tmp_path / "output", LIMITS, no_progress)
    assert report.certificate.verdict == "rejected"
    assert "below the minimum 1" in report.certificate.reason
    assert "float32" in report.certificate.reason
    assert report.certificate.calibration is not None
    assert report.certificate.calibration.samples == 40
    assert report.certificate.calibration.description.endswith("calibration.txt")


async def test_an_encoder_that_lies_about_its_limit_is_refused(onnx_encoder: Path, tmp_path: Path) -> None:
    (onnx_encoder / "sentence_bert_config.json").unlink()  # it has 128 positions, and 512 is assumed
    with pytest.raises(SourceInvalid, match="512 tokens") as error:
        await convert(ConversionRequest(source=onnx_encoder, task="embedding"), tmp_path / "out", LIMITS, no_progress)
    assert "max_seq_length" in error.value.remedy


@pytest.mark.parametrize("precision", list(Precision))
def test_the_default_budget_is_the_promise(precision: Precision) -> None:
    request = ConversionRequest(source=Path(), task="embedding", precision=precision)
    assert request.budget == AccuracyBudget(cosine=0.98, nearest_kept=0.80, rank_correlation=0.95)
