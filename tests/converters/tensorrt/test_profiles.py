from __future__ import annotations

import onnx
import pytest
from onnx import helper

from converters.tensorrt.profiles import Span, batch, dynamic_dimensions, padded, profiles, ranges
from tests.converters.tensorrt.graphs import float_block, model_of


def test_text_has_a_profile_for_each_length_that_the_front_pads_to() -> None:
    short, long = profiles(float_block(), batch(16, 8), padded("tokens", [16, 128]))
    assert short.shapes == {
        "x": ((1, 16, 32), (8, 16, 32), (16, 16, 32)),
        "mask": ((1, 16), (8, 16), (16, 16)),
    }
    assert long.shapes["mask"] == ((1, 128), (8, 128), (16, 128))


def test_without_padding_the_ranges_meet_and_leave_nothing_out() -> None:
    made = profiles(float_block(), batch(4), ranges("tokens", [8, 32, 64]))
    assert [(p.shapes["mask"][0][1], p.shapes["mask"][2][1]) for p in made] == [(1, 8), (9, 32), (33, 64)]
    assert [p.shapes["mask"][1] for p in made] == [(4, 8), (4, 32), (4, 64)]


def pictures(*shape: str | int) -> onnx.ModelProto:
    return model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": list(shape)}, {"y": list(shape)}, {})


def test_the_batch_is_the_first_dimension_whatever_its_name() -> None:
    (made,) = profiles(pictures("anything", 3, 8, 8), batch(2))
    assert made.shapes == {"x": ((1, 3, 8, 8), (2, 3, 8, 8), (2, 3, 8, 8))}


def test_inputs_of_one_shape_need_no_profile() -> None:
    assert profiles(pictures(1, 3, 8, 8), batch(2))[0].shapes == {}


def test_several_dimensions_vary_together() -> None:
    bucket = {"height": Span(32, 320, 640), "width": Span(32, 320, 960)}
    (made,) = profiles(pictures("n", 3, "height", "width"), batch(4), [bucket])
    assert made.shapes["x"] == ((1, 3, 32, 32), (4, 3, 320, 320), (4, 3, 640, 960))


def test_a_dimension_without_a_name_is_called_by_its_input() -> None:
    model = pictures("n", 3, "h", "w")
    model.graph.input[0].type.tensor_type.shape.dim[2].ClearField("dim_param")
    assert dynamic_dimensions(model) == ("x.2", "w")


@pytest.mark.parametrize(
    ("buckets", "says"),
    [
        ([{}], "the dimension 'tokens' varies"),
        ([{"tokens": Span(1, 2, 3), "tokenz": Span(1, 2, 3)}], "no input has a dynamic dimension tokenz"),
        ([], "1 to 16 profiles"),
        (padded("tokens", range(1, 18)), "1 to 16 profiles"),
    ],
)
def test_buckets_that_do_not_fit_are_refused(buckets: list[dict[str, Span]], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        profiles(float_block(), batch(4), buckets)


@pytest.mark.parametrize("sizes", [[], [8, 8], [16, 8]])
def test_sizes_that_do_not_grow_are_refused(sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="have to grow"):
        padded("tokens", sizes)


@pytest.mark.parametrize("sizes", [(0, 1, 2), (2, 1, 3), (1, 4, 3)])
def test_a_span_that_is_none_is_refused(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="cannot be from"):
        Span(*sizes)
