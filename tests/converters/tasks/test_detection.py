"""A detector as the search sees it: a graph that calls bright places an object, and nudenet's where it is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters.errors import ConversionFailed, SourceInvalid
from converters.samples.photographs import scenes
from converters.samples.pictures import Pictures
from converters.samples.split import Part
from converters.subject import Figure, Split
from converters.tasks.detection import PART, DetectionSubject, open_subject, read_settings
from registry.spec.detection import TASK
from registry.spec.session import Session, open_session

SIDE, CELL = 64, 8


def bright(factor: float = 1.0, labels: str = "{0: 'red', 1: \"green's\"}") -> onnx.ModelProto:
    """A YOLO-shaped graph: each 8 × 8 cell is a box, its red and green the scores of two classes."""
    cells = SIDE // CELL
    y, x = np.divmod(np.arange(cells * cells), cells)
    boxes = np.stack([x * CELL + 4, y * CELL + 4, np.full(len(x), 8), np.full(len(x), 8)])[None].astype(np.float32)
    constants = {
        "boxes": boxes,
        "none": np.zeros((1, 1, 1), dtype=np.float32),
        "factor": np.array(factor, dtype=np.float32),
        "places": np.array([0, 3, -1], dtype=np.int64),
        **{name: np.array([value], dtype=np.int64) for name, value in (("zero", 0), ("one", 1), ("two", 2))},
    }
    nodes = [
        helper.make_node("AveragePool", ["images"], ["pooled"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]),
        helper.make_node("Reshape", ["pooled", "places"], ["colours"]),
        helper.make_node("Slice", ["colours", "zero", "two", "one"], ["two_colours"]),
        helper.make_node("Mul", ["two_colours", "factor"], ["scores"]),
        helper.make_node("Slice", ["colours", "zero", "one", "one"], ["first"]),
        helper.make_node("Mul", ["first", "none"], ["nothing"]),
        helper.make_node("Add", ["nothing", "boxes"], ["placed"]),
        helper.make_node("Concat", ["placed", "scores"], ["output0"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "bright",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["rows", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["rows", 6, cells * cells])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    helper.set_model_props(model, {"names": labels})
    return model


def opened(graph: onnx.ModelProto, directory: Path) -> Session:
    path = directory / "graph.onnx"
    onnx.save(graph, path)
    return open_session(path, 1, exact_x86=False)


def subject(graph: onnx.ModelProto, directory: Path, count: int) -> DetectionSubject:
    few = {part: scenes(part, 0, count) for part in Part}
    return DetectionSubject(graph, opened(graph, directory), read_settings(graph), few)


def means(figures: list[Figure]) -> dict[str, float]:
    return {figure.name: float(np.average(figure.values, weights=figure.weights)) for figure in figures}


def test_the_original_agrees_with_itself_and_a_paler_one_does_not(tmp_path: Path) -> None:
    detector = subject(bright(), tmp_path, 12)
    same = detector.judge({PART: opened(bright(), tmp_path)}, Split.HELD_OUT)
    assert [figure.name for figure in same] == [criterion.name for criterion in TASK.criteria]
    assert means(same) == {"matched_50": 1.0, "matched_90": 1.0, "matched_strict": 1.0, "score_drift": 0.0}
    paler = detector.judge({PART: opened(bright(0.9), tmp_path)}, Split.HELD_OUT)
    assert all(len(figure.values) == 12 for figure in paler)
    assert means(paler)["matched_50"] > 0.98, "a box whose score fell below the threshold is there all the same"
    assert 0.5 < means(paler)["matched_strict"] < 1
    assert 0.02 < means(paler)["score_drift"] < 0.1


def test_a_detector_that_answers_no_numbers_agrees_with_nothing(tmp_path: Path) -> None:
    detector = subject(bright(), tmp_path, 6)
    assert means(detector.judge({PART: opened(bright(float("nan")), tmp_path)}, Split.SELECTION)[:2]) == {
        "matched_50": 0.0,
        "matched_90": 0.0,
    }


def test_samples_and_loads_fit_the_graph(tmp_path: Path) -> None:
    detector = subject(bright(), tmp_path, 5)
    session = opened(bright(), tmp_path)
    samples = [*detector.calibration(), *detector.selection(), *(s for load in detector.loads for s in load.samples)]
    assert [sample.feeds["images"].shape[0] for sample in samples] == [1] * 10 + [1, 4]
    for sample in samples:
        assert session.run(None, sample.feeds)[0].shape[1:] == (6, 64)
    assert [load.label for load in detector.loads] == ["1 × 3 × 64 × 64", "4 × 3 × 64 × 64"]
    assert detector.loads is detector.loads, "pictures are decoded for every measurement"
    assert list(detector.data) == ["calibration", "selection", "held out"]


def test_a_detector_that_finds_nothing_cannot_be_judged(tmp_path: Path) -> None:
    detector = subject(bright(0.01), tmp_path, 3)
    with pytest.raises(ConversionFailed, match="finds 0 objects in 3 pictures"):
        detector.judge({PART: opened(bright(), tmp_path)}, Split.SELECTION)


def test_settings_are_read_from_the_graph_and_its_metadata() -> None:
    settings = read_settings(bright())
    assert (settings.input, settings.output, settings.side) == ("images", "output0", 64)
    assert settings.labels == ("red", "green's")
    assert read_settings(bright(labels="")).labels == ("0", "1")
    free = bright()
    for dimension in free.graph.input[0].type.tensor_type.shape.dim[2:]:
        dimension.dim_param = "side"
    assert read_settings(free).side == 640
    helper.set_model_props(free, {"imgsz": "[320, 320]"})
    assert read_settings(free).side == 320


def test_a_graph_of_another_shape_is_refused() -> None:
    flat = bright()
    del flat.graph.output[0].type.tensor_type.shape.dim[2]
    grey = bright()
    grey.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1
    odd = bright()
    odd.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 50
    for graph, why in ((flat, "its output"), (grey, "one input"), (odd, "50 pixels high")):
        with pytest.raises(SourceInvalid, match=why):
            read_settings(graph)


def test_an_owners_file_that_is_no_picture_is_named_as_such(tmp_path: Path) -> None:
    graph = bright()
    broken = {part: Pictures((b"no picture",), "The owner's own pictures") for part in Part}
    detector = DetectionSubject(graph, opened(graph, tmp_path), read_settings(graph), broken)
    with pytest.raises(SourceInvalid, match="cannot be used"):
        next(detector.calibration())


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("nudenet") is None, reason="the sample detector is not installed")
def test_the_built_in_scenes_have_hundreds_of_objects_for_the_sample_detector(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("nudenet")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "320n.onnx"
    detector = open_subject(onnx.load(path), tmp_path, seed=0, threads=1)
    figures = detector.judge({PART: open_session(path, 1, exact_x86=False)}, Split.HELD_OUT)
    assert means(figures) == {"matched_50": 1.0, "matched_90": 1.0, "matched_strict": 1.0, "score_drift": 0.0}
    assert figures[0].weights is not None
    assert figures[0].weights.sum() / 2 >= 250
    assert len(figures[0].values) >= 150
