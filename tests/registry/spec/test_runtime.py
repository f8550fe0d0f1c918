import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.spec import runtime
from registry.spec.classification import ByteWindows, ClassificationSettings
from registry.spec.detection import DetectionSettings
from registry.spec.embedding import Pooling
from registry.spec.ocr import OcrSettings
from registry.spec.runtime import (
    ClassificationRuntime,
    DetectionRuntime,
    EmbeddingRuntime,
    OcrRuntime,
    RuntimeSettings,
    TensorRuntime,
    VoiceActivityRuntime,
)
from registry.spec.text_regions import RegionSettings

EMBEDDING = st.builds(
    EmbeddingRuntime,
    inputs=st.permutations(("input_ids", "attention_mask", "token_type_ids")).map(tuple),
    output=st.text(),
    dimensions=st.integers(1, 4096),
    max_tokens=st.integers(1, 8192),
    pooling=st.sampled_from(Pooling),
    normalize=st.booleans(),
    exact_x86=st.booleans(),
    batch_tokens=st.integers(1, 10**6),
)
NAMES = st.lists(st.text(), max_size=5).map(tuple)
SCORES = st.floats(0, 1)
CLASSIFICATION = st.builds(
    ClassificationRuntime,
    classifier=st.builds(
        ClassificationSettings,
        output=st.text(),
        labels=NAMES,
        windows=st.none() | st.builds(ByteWindows, first=st.integers(0, 4096), padding=st.integers(0, 256)),
        wide=st.booleans(),
    ),
    exact_x86=st.booleans(),
)
DETECTION = st.builds(
    DetectionRuntime,
    detector=st.builds(
        DetectionSettings,
        input=st.text(),
        output=st.text(),
        side=st.integers(32, 4096),
        labels=NAMES,
        least_score=SCORES,
    ),
    exact_x86=st.booleans(),
)
OCR = st.builds(
    OcrRuntime,
    reader=st.builds(
        OcrSettings,
        characters=NAMES,
        inputs=st.dictionaries(st.sampled_from(["det", "rec", "cls"]), st.text()),
        regions=st.builds(RegionSettings, threshold=SCORES),
    ),
    exact_x86=st.booleans(),
)
SETTINGS = st.one_of(
    EMBEDDING,
    st.builds(TensorRuntime, exact_x86=st.booleans()),
    CLASSIFICATION,
    DETECTION,
    OCR,
    st.builds(VoiceActivityRuntime, inputs=NAMES, exact_x86=st.booleans(), hardware_class=st.text()),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runtime") / "runtime.json"


@given(settings=SETTINGS)
def test_what_is_written_is_read_back(path: Path, settings: RuntimeSettings) -> None:
    runtime.write(settings, path)
    assert runtime.read(path) == settings


def test_the_same_settings_are_the_same_bytes(path: Path) -> None:
    settings = TensorRuntime(exact_x86=True)
    runtime.write(settings, path)
    assert path.read_text() == '{\n "exact_x86": true,\n "hardware_class": "",\n "task": "tensor"\n}\n'


def test_a_task_without_a_runtime_is_an_error(path: Path) -> None:
    path.write_text(json.dumps({**dataclasses.asdict(TensorRuntime(exact_x86=False)), "task": "divination"}))
    with pytest.raises(ValueError, match="divination"):
        runtime.read(path)
