import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.spec.signature import DataType, Signature, TensorSpec
from tests.triton_repo.published import AFFINE
from triton_repo.config import ModelConfig, parse, render

NAMES = st.text(string.ascii_lowercase + string.digits + "_-", min_size=1, max_size=20)
TENSORS = st.builds(
    TensorSpec,
    st.text(string.ascii_letters + "._/:\"'\\ ", min_size=1, max_size=20),
    st.sampled_from(DataType),
    st.lists(st.one_of(st.just(-1), st.integers(1, 4096)), min_size=1, max_size=4).map(tuple),
)
SIGNATURES = st.builds(
    Signature,
    st.lists(TENSORS, min_size=1, max_size=4).map(tuple),
    st.lists(TENSORS, min_size=1, max_size=4).map(tuple),
)
CONFIGS = st.builds(
    ModelConfig,
    name=NAMES,
    signature=SIGNATURES,
    max_batch=st.integers(1, 4096),
    usage=st.booleans(),
    max_queue_delay_us=st.integers(0, 10**6),
    max_queue_size=st.integers(0, 10**5),
    preferred_batch_sizes=st.lists(st.integers(1, 64), max_size=3).map(tuple),
    instances=st.integers(1, 8),
    parameters=st.dictionaries(st.text(min_size=1, max_size=10), st.text(max_size=30), max_size=4),
)


@given(CONFIGS)
def test_what_is_rendered_is_read_back(config: ModelConfig) -> None:
    assert parse(render(config)) == config


@given(CONFIGS)
def test_equal_configurations_render_to_equal_bytes(config: ModelConfig) -> None:
    assert render(config) == render(parse(render(config)))


def test_settings_that_are_not_ours_are_not_dropped_silently() -> None:
    text = render(ModelConfig("m", AFFINE, 8))
    with pytest.raises(ValueError, match="does not write"):
        parse(text + "response_cache { enable: true }\n")
    with pytest.raises(ValueError, match="does not write"):
        parse(text.replace('"python"', '"onnxruntime"'))


def test_text_that_is_no_configuration_is_refused() -> None:
    with pytest.raises(ValueError, match="not a model configuration"):
        parse("name: [")


def test_the_default_queue_policy_leaves_prefetching_on() -> None:
    assert "default_queue_policy" not in render(ModelConfig("m", AFFINE, 8))
    bounded = render(ModelConfig("m", AFFINE, 8, max_queue_size=16))
    assert "max_queue_size: 16" in bounded
    assert "allow_timeout_override: true" in bounded
