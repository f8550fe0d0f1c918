"""The loss by which layers are ranked: channels of different size count alike."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from converters.search.bench import channel_axes, relative_error


def test_equal_answers_lose_nothing() -> None:
    answer = [np.random.default_rng(0).standard_normal((2, 4, 9)).astype(np.float32)]
    assert relative_error([answer], [answer], [1]) == 0


def test_a_strong_channel_does_not_hide_the_others() -> None:
    wanted = np.ones((1, 3, 50), dtype=np.float32)
    wanted[:, 0] = 3
    strong, weak = wanted.copy(), wanted.copy()
    strong[:, 0] *= 0.9
    weak[:, 1] *= 0.9
    one, other = (relative_error([[wanted]], [[got]], [1]) for got in (strong, weak))
    assert one < 4 * other  # of the energy itself it would be nine times as much


def test_channels_that_never_answer_count_for_next_to_nothing() -> None:
    wanted = np.zeros((1, 1000, 50), dtype=np.float32)
    wanted[:, 0] = 1
    got = wanted.copy()
    got[:, 1:] += 1e-3
    assert relative_error([[wanted]], [[got]], [1]) < 2e-3


@pytest.mark.parametrize("broken", [np.full((1, 3), np.nan, np.float32), np.zeros((1, 4), np.float32)])
def test_what_cannot_be_compared_is_as_bad_as_can_be(broken: np.ndarray) -> None:
    assert relative_error([[np.ones((1, 3), np.float32)]], [[broken]], [1]) == 10


def test_the_channels_are_where_the_shape_is_fixed() -> None:
    def output(*shape: object) -> object:
        return helper.make_tensor_value_info(f"y{len(shape)}{shape}", TensorProto.FLOAT, list(shape))

    outputs = [output("n", 22, "places"), output("n", "tokens", 384), output("n", 1, "h", "w"), output("n")]
    graph = helper.make_model(helper.make_graph([], "g", [], outputs))
    assert channel_axes(graph) == [1, 2, 4, 1]


@pytest.mark.parametrize("masked", [-np.inf, np.inf, np.nan])
def test_what_is_masked_counts_for_nothing_and_the_rest_as_ever(masked: float) -> None:
    wanted = np.ones((1, 3, 50), dtype=np.float32)
    wanted[:, :, :10] = masked
    near, far = wanted.copy(), wanted.copy()
    near[:, :, 10:] *= 0.99
    far[:, :, 10:] *= 0.9
    one, other = (relative_error([[wanted]], [[got]], [1]) for got in (near, far))
    assert 0 < one < other < 1


def test_what_is_masked_has_to_be_masked_again() -> None:
    wanted = np.ones((1, 3), dtype=np.float32)
    wanted[0, 1] = -np.inf
    for changed in (0.0, np.inf, np.nan):
        got = wanted.copy()
        got[0, 1] = changed
        assert relative_error([[wanted]], [[got]], [1]) == 10
