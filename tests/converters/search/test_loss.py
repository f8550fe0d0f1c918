"""The loss by which layers are ranked: channels of different size count alike."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from converters.search.bench import channel_axes, relative_error


def test_equal_answers_lose_nothing() -> None:
    answer = [np.random.default_rng(0).standard_normal((2, 4, 9)).astype(np.float32)]
    assert relative_error([answer], [answer], [1]) == 0


def test_a_small_channel_counts_as_much_as_a_large_one() -> None:
    wanted = np.ones((1, 3, 50), dtype=np.float32)
    wanted[:, 0] = 1000
    large, small = wanted.copy(), wanted.copy()
    large[:, 0] = 900
    small[:, 1] = 0.9
    one, other = (relative_error([[wanted]], [[got]], [1]) for got in (large, small))
    assert one == pytest.approx(2 * other, rel=1e-3)


@pytest.mark.parametrize("broken", [np.full((1, 3), np.nan, np.float32), np.zeros((1, 4), np.float32)])
def test_what_cannot_be_compared_is_as_bad_as_can_be(broken: np.ndarray) -> None:
    assert relative_error([[np.ones((1, 3), np.float32)]], [[broken]], [1]) == 10


def test_the_channels_are_where_the_shape_is_fixed() -> None:
    def output(*shape: object) -> object:
        return helper.make_tensor_value_info(f"y{len(shape)}{shape}", TensorProto.FLOAT, list(shape))

    outputs = [output("n", 22, "places"), output("n", "tokens", 384), output("n", 1, "h", "w"), output("n")]
    graph = helper.make_model(helper.make_graph([], "g", [], outputs))
    assert channel_axes(graph) == [1, 2, 4, 1]
