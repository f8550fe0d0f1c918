"""Real models of packages, laid out as a conversion lays them out, and what each answers in this process."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import onnx
import pytest

from converters.tasks import classification as classifiers
from converters.tasks import detection as detectors
from converters.tasks import ocr as readers
from registry.spec import runtime
from registry.spec.runtime import ClassificationRuntime, DetectionRuntime, OcrRuntime, VoiceActivityRuntime


def package(name: str) -> Path:
    """Where a package lies; without it, its tests are left out."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        pytest.skip(f"{name} is not installed")
    return Path(spec.origin).parent


def write_detector(directory: Path) -> DetectionRuntime:
    """nudenet's detector."""
    directory.mkdir(parents=True)
    shutil.copyfile(package("nudenet") / "320n.onnx", directory / "model.onnx")
    settings = DetectionRuntime(detectors.read_settings(onnx.load(directory / "model.onnx")), exact_x86=False)
    runtime.write(settings, directory / runtime.FILE)
    return settings


def write_voice_activity(directory: Path, name: str) -> VoiceActivityRuntime:
    """One of Silero's detectors."""
    directory.mkdir(parents=True)
    shutil.copyfile(package("silero_vad") / "data" / name, directory / "model.onnx")
    inputs = tuple(value.name for value in onnx.load(directory / "model.onnx").graph.input)
    settings = VoiceActivityRuntime(inputs, exact_x86=False)
    runtime.write(settings, directory / runtime.FILE)
    return settings


def write_reader(directory: Path) -> OcrRuntime:
    """PP-OCRv4's graphs."""
    directory.mkdir(parents=True)
    models = package("rapidocr_onnxruntime") / "models"
    names = {"det": "ch_PP-OCRv4_det", "rec": "ch_PP-OCRv4_rec", "cls": "ch_ppocr_mobile_v2.0_cls"}
    for part, name in names.items():
        shutil.copyfile(models / f"{name}_infer.onnx", directory / f"{part}.onnx")
    graphs = {part: onnx.load(directory / f"{part}.onnx") for part in names}
    settings = OcrRuntime(readers.read_settings(graphs), exact_x86=False)
    runtime.write(settings, directory / runtime.FILE)
    return settings


def write_classifier(directory: Path) -> ClassificationRuntime:
    """Magika."""
    directory.mkdir(parents=True)
    source = package("magika") / "models" / "standard_v3_3"
    shutil.copyfile(source / "model.onnx", directory / "model.onnx")
    windows = classifiers.read_windows(source)
    labels = classifiers.read_labels(
        source, len(json.loads((source / "config.min.json").read_text())["target_labels_space"])
    )
    graph = onnx.load(directory / "model.onnx")
    settings = ClassificationRuntime(classifiers.read_settings(graph, windows, labels), exact_x86=False)
    runtime.write(settings, directory / runtime.FILE)
    return settings
