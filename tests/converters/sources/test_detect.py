"""Which format a source is in, and what a task says to a format that it does not take."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from converters.errors import SourceInvalid
from converters.sources.detect import FORMATS, detect, inspect
from converters.sources.facts import Format
from registry.spec.tasks import TASKS
from tests.converters.given import linear


def _files(source: Path, *names: str) -> Path:
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(b"x")
    return source


@pytest.mark.parametrize(
    ("names", "form"),
    [
        (["model.onnx"], Format.ONNX),
        (["voice.onnx", "voice.onnx.json"], Format.ONNX),
        (["model.onnx", "other.onnx"], Format.ONNX),
        (["model.onnx", "config.json", "model.safetensors", "tokenizer.json"], Format.ONNX),
        (["det.onnx", "rec.onnx"], Format.ONNX_BUNDLE),
        (["det.onnx"], Format.ONNX_BUNDLE),
        (["tiny.gguf"], Format.GGUF),
        (["model.bin", "config.json", "vocabulary.txt"], Format.CTRANSLATE2),
        (["config.json", "model.safetensors"], Format.HUGGINGFACE),
        (["config.json", "pytorch_model.bin"], Format.HUGGINGFACE),
        (["config.json", "model.bin", "model.safetensors"], Format.HUGGINGFACE),
        (["config.json", "model.safetensors", "training_args.pt"], Format.HUGGINGFACE),
    ],
)
def test_a_format_is_told_by_its_files(names: list[str], form: Format, tmp_path: Path) -> None:
    assert detect(_files(tmp_path, *names))[0] is form


@pytest.mark.parametrize("suffix", ["txt", "jsonl", "parquet", "zip"])
def test_calibration_data_is_no_model(suffix: str, tmp_path: Path) -> None:
    _files(tmp_path, f"calibration.{suffix}")
    with pytest.raises(SourceInvalid, match="no model at its top"):
        detect(tmp_path)
    onnx.save(linear(), tmp_path / "model.onnx")
    assert detect(tmp_path)[0] is Format.ONNX


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["notes.txt"], "no model at its top"),
        (["inner/model.onnx"], "no model at its top"),
        (["a.onnx", "b.onnx"], "several .onnx files"),
        (["a.gguf", "b.gguf"], "several .gguf files"),
        (["model.pt"], "bare pickle"),
    ],
)
def test_files_that_are_no_model_are_refused_with_what_to_upload(
    names: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(SourceInvalid, match=message) as error:
        detect(_files(tmp_path, *names))
    assert error.value.remedy


def test_a_task_says_which_formats_it_takes(tmp_path: Path) -> None:
    _files(tmp_path, "tiny.gguf")
    with pytest.raises(SourceInvalid, match=r"a GGUF file .* which the task tensor does not take") as error:
        inspect(tmp_path, "tensor")
    assert "an ONNX file (model.onnx)" in error.value.remedy


def test_an_unknown_task_is_answered_with_the_tasks_there_are(tmp_path: Path) -> None:
    with pytest.raises(SourceInvalid, match="no task 'juggling'") as error:
        inspect(tmp_path, "juggling")
    assert "embedding" in error.value.remedy


def test_every_task_takes_some_format() -> None:
    assert set(TASKS) <= set(FORMATS)
    assert set(Format) == {form for forms in FORMATS.values() for form in forms}
