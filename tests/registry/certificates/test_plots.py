from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.certificates.plots import accuracy_latency, layer_sensitivity
from registry.certificates.plots.axes import LossAxis, TimeAxis
from registry.spec.certificate import Engine
from tests.registry.certificates.given import CURVE, LAYERS, layer, point

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert(1)</script>\x01\x1b\"'&amp;]]><!--"


def drawn(svg: str) -> ElementTree.Element:
    """The plot as an XML parser has it, with every number in it looked at."""
    root = ElementTree.fromstring(svg)
    width, height = (float(part) for part in root.attrib["viewBox"].split()[2:])
    for element in root.iter():
        for name, limit in (("x", width), ("y", height), ("cx", width), ("cy", height), ("x2", width), ("y2", height)):
            if name in element.attrib:
                assert 0 <= float(element.attrib[name]) <= limit, (element.tag, element.attrib)
        for value in element.attrib.values():
            assert not re.search(r"\b(nan|inf)\b", value)
    return root


def marks(root: ElementTree.Element, class_: str) -> list[ElementTree.Element]:
    return [element for element in root.iter() if element.attrib.get("class") == class_]


def hints(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}title")]


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_every_candidate_is_drawn_with_its_figures() -> None:
    root = drawn(accuracy_latency(CURVE))
    assert len(hints(root)) == len(CURVE)
    chosen = next(hint for hint in hints(root) if "2 layers in float" in hint)
    assert "INT8 in ONNX Runtime, passed, chosen" in chosen
    assert "time 0.56 ×" in chosen
    assert "cosine 0.9969" in chosen
    assert "chosen: SmoothQuant 0.8, 2 layers in float" in texts(root)
    assert len(marks(root, "chosen")) == 2  # the ring, and the legend's
    assert len(marks(root, "failed")) == 5 + 1


def test_engines_have_shapes_of_their_own() -> None:
    curve = [point(engine.value, 0.01, 0.5, engine=engine) for engine in Engine]
    root = drawn(accuracy_latency(curve))
    outlines = {
        element.attrib.get("points", "circle").replace(",", " ")
        for group in root.iter(f"{SVG}g")
        for element in group
        if element.tag in {f"{SVG}polygon", f"{SVG}circle"}
    }
    assert len(outlines) == len(Engine)
    for name in ("ONNX Runtime", "OpenVINO", "ONNX Runtime GenAI", "CTranslate2", "TensorRT"):
        assert name in texts(root)


def test_the_budget_is_drawn_between_those_that_passed_and_those_that_failed() -> None:
    root = drawn(accuracy_latency([point("in", 0.9, 0.5), point("out", 1.1, 0.5)]))
    budget = next(float(line.attrib["y1"]) for line in marks(root, "limit") if line.attrib["y1"] == line.attrib["y2"])
    (failed,) = [float(mark.attrib["cy"]) for mark in marks(root, "failed") if float(mark.attrib["cy"]) < 262]
    (passed,) = [float(mark.attrib["cy"]) for mark in marks(root, "passed") if float(mark.attrib["cy"]) < 262]
    assert failed < budget < passed
    assert "budget" in texts(root)


def test_less_loss_is_lower_and_no_loss_has_a_lane_below_all() -> None:
    axis = LossAxis.around([0.1, 0.001, 0.0, -1.0], 30, 262)
    assert axis.at(0.1) < axis.at(0.01) < axis.at(0.001) < axis.at(0.0) == axis.at(-1.0) <= 262
    assert "≤ 0" in texts(drawn(accuracy_latency([point("a", 0.0, 0.5), point("b", 0.01, 0.6)])))
    assert "≤ 0" not in texts(drawn(accuracy_latency([point("b", 0.01, 0.6)])))


def test_labels_of_losses_are_what_they_stand_for() -> None:
    axis = LossAxis.around([0.003, 0.2], 30, 262)
    assert {said for _, said in axis.ticks()} >= {"0.001", "0.01", "0.1", "1"}
    near = LossAxis.around([0.012, 0.03], 30, 262)
    assert [said for _, said in near.ticks()] == ["0.01", "0.1", "0.02", "0.05"]
    for height, said in near.ticks():
        assert height == pytest.approx(near.at(float(said)))


def test_the_line_joins_what_no_other_candidate_beats() -> None:
    curve = [point("quick", 0.1, 0.4), point("both", 0.01, 0.5), point("beaten", 0.05, 0.6), point("best", 0.001, 0.9)]
    root = drawn(accuracy_latency(curve))
    (path,) = marks(root, "frontier")
    time = TimeAxis.around([0.4, 0.5, 0.6, 0.9], 52, 446)
    steps = [float(x) for x in re.findall(r"[MH]([0-9.]+)", path.attrib["d"])]
    assert steps == pytest.approx([time.at(0.4), time.at(0.5), time.at(0.9)], abs=0.06)


@pytest.mark.parametrize("curve", [[], [point("no time", 0.1, None)]])
def test_nothing_to_draw_is_said(curve: list[object]) -> None:
    assert texts(drawn(accuracy_latency(curve))) == ["No candidate was timed."]  # type: ignore[arg-type]


@pytest.mark.parametrize("loss", [0.0, -0.1, 1e-300, 5e-324, 0.01, 1.0, 1e300])
@pytest.mark.parametrize("ratio", [1e-9, 0.5, 1.0, 50.0, 1e300])
def test_one_point_is_drawn_wherever_it_lies(loss: float, ratio: float) -> None:
    root = drawn(accuracy_latency([point("only", loss, ratio, chosen=True)]))
    assert len(hints(root)) == 1
    assert any("beyond the right edge" in said for said in texts(root)) == (ratio > 3)


def test_what_is_not_drawn_is_counted() -> None:
    curve = [point("a", 0.1, 0.5), point("b", 0.1, None), point("c", 0.1, 0.0)]
    root = drawn(accuracy_latency(curve))
    assert len(hints(root)) == 1
    assert "2 without a time not drawn" in texts(root)


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


@given(st.lists(st.tuples(TEXTS, NUMBERS, st.none() | NUMBERS, st.booleans()), max_size=20))
@settings(max_examples=60, deadline=None)
def test_any_curve_is_a_plot(given_: list[tuple[str, float, float | None, bool]]) -> None:
    curve = [point(name, loss, ratio, chosen=chosen) for name, loss, ratio, chosen in given_]
    drawn(accuracy_latency(curve))


@given(st.lists(st.tuples(TEXTS, st.none() | NUMBERS, st.none() | TEXTS), max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_layers_are_a_plot(given_: list[tuple[str, float | None, str | None]]) -> None:
    drawn(layer_sensitivity([layer(*one) for one in given_]))


def test_layers_stand_in_the_order_of_their_harm() -> None:
    root = drawn(layer_sensitivity(LAYERS))
    names = [hint.splitlines()[0] for hint in hints(root)]
    assert names[:3] == [
        "encoder.layer.5.output.dense",
        "encoder.layer.4.output.dense",
        "encoder.layer.5.attention.self.query_key_value",
    ]
    assert names[-1] == "embeddings.word_embeddings"
    assert "not ranked" in texts(root)
    lengths = [float(bar.attrib["width"]) for bar in root.iter(f"{SVG}rect") if "bar" in bar.attrib["class"]]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] / lengths[1] == pytest.approx(0.98 / 0.54, rel=0.01)


def test_layers_in_float_are_marked_with_their_reason() -> None:
    root = drawn(layer_sensitivity(LAYERS))
    assert len([bar for bar in marks(root, "float-bar") if bar.tag == f"{SVG}rect"]) == 2
    assert "FP32: back in float: without it the cosine is 0.992, below 0.995" in texts(root)
    assert "back in float: second in the ranking of harm" in hints(root)[1]


def test_of_five_hundred_layers_forty_are_drawn_and_the_rest_is_counted() -> None:
    layers = [layer(f"layer{index}", index / 500, "sensitive" if index % 10 == 0 else None) for index in range(500)]
    root = drawn(layer_sensitivity(layers))
    assert len(hints(root)) == 40
    assert hints(root)[0].startswith("layer499\n")
    assert "and 460 layers that do no more harm, 46 of them in float" in texts(root)


def test_no_ranking_is_said() -> None:
    assert texts(drawn(layer_sensitivity([]))) == ["No layers were recorded."]
    assert texts(drawn(layer_sensitivity([layer("a", None)]))) == ["None of the 1 layers was ranked."]


def test_hostile_names_stay_text() -> None:
    curve = drawn(accuracy_latency([point(HOSTILE, 0.1, 0.5, chosen=True, figures={HOSTILE: 1.0})]))
    layers = drawn(layer_sensitivity([layer(HOSTILE, 0.1, HOSTILE)]))
    for root in (curve, layers):
        assert not list(root.iter(f"{SVG}script"))
        assert any("<script>alert(1)</script>" in said for said in hints(root))


def test_the_same_certificate_gives_the_same_plots() -> None:
    assert accuracy_latency(CURVE) == accuracy_latency(CURVE)
    assert layer_sensitivity(LAYERS) == layer_sensitivity(LAYERS)
