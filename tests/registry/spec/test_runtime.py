import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.spec import runtime
from registry.spec.embedding import Pooling
from registry.spec.runtime import EmbeddingRuntime, RuntimeSettings, TensorRuntime

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
SETTINGS = EMBEDDING | st.builds(TensorRuntime, exact_x86=st.booleans())


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
