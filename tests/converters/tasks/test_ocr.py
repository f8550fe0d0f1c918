"""A reader as the search sees it, on PP-OCR's own graphs where they are installed."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

import numpy as np
import onnx
import PIL.Image
import pytest
from onnx import helper, numpy_helper

from converters.errors import ConversionFailed, SourceInvalid
from converters.samples.lines import pages
from converters.samples.pictures import Pictures
from converters.samples.split import Part
from converters.subject import Figure, Split
from converters.tasks import ocr
from converters.tasks.ocr import OcrSubject, open_subject, read_settings
from registry.spec.ocr import TASK
from registry.spec.session import open_session

SPEC = importlib.util.find_spec("rapidocr_onnxruntime")
needs_graphs = pytest.mark.skipif(SPEC is None, reason="the sample reader is not installed")
FILES = {
    "det": "ch_PP-OCRv4_det_infer.onnx",
    "cls": "ch_ppocr_mobile_v2.0_cls_infer.onnx",
    "rec": "ch_PP-OCRv4_rec_infer.onnx",
}


@pytest.fixture(scope="module")
def graphs() -> dict[str, onnx.ModelProto]:
    assert SPEC is not None
    assert SPEC.origin is not None
    return {part: onnx.load(Path(SPEC.origin).parent / "models" / name) for part, name in FILES.items()}


@pytest.fixture(scope="module")
def reader(graphs: dict[str, onnx.ModelProto], tmp_path_factory: pytest.TempPathFactory) -> OcrSubject:
    directory = tmp_path_factory.mktemp("reader")
    original = {}
    for part, graph in graphs.items():
        onnx.save(graph, directory / f"{part}.onnx")
        original[part] = open_session(directory / f"{part}.onnx", 1, exact_x86=False)
    return OcrSubject(graphs, original, read_settings(graphs), {part: pages(part, 0, 5) for part in Part})


def means(figures: list[Figure]) -> dict[str, float]:
    return {figure.name: float(np.average(figure.values, weights=figure.weights)) for figure in figures}


def damaged(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The same with its last weights in 3 bits."""
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    matrices = [tensor for tensor in copy.graph.initializer if len(tensor.dims) == 2]
    matrices += [
        n.attribute[0].t for n in copy.graph.node if n.op_type == "Constant" and len(n.attribute[0].t.dims) == 2
    ]
    last = max(matrices, key=lambda tensor: int(np.prod(tensor.dims)))
    values = numpy_helper.to_array(last)
    step = np.abs(values).max() / 4
    last.CopyFrom(numpy_helper.from_array(np.rint(values / step).astype(np.float32) * step, last.name))
    return copy


@needs_graphs
def test_the_original_agrees_with_itself_and_a_damaged_one_does_not(
    reader: OcrSubject, graphs: dict[str, onnx.ModelProto], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ocr, "_LEAST_CHARACTERS", 100)
    same = reader.judge({}, Split.HELD_OUT)
    assert [figure.name for figure in same] == [criterion.name for criterion in TASK.criteria]
    assert list(means(same).values()) == [0.0, 0.0, 1.0, 1.0]
    onnx.save(damaged(graphs["rec"]), tmp_path / "rec.onnx")
    worse = means(reader.judge({"rec": open_session(tmp_path / "rec.onnx", 1, exact_x86=False)}, Split.HELD_OUT))
    assert worse["character_error"] > 0.02
    assert worse["lines_equal"] < 1


@needs_graphs
def test_samples_are_lines_without_padding_and_fit_the_graphs(reader: OcrSubject) -> None:
    samples = list(reader.calibration())
    assert {sample.part for sample in samples} == {"det", "cls", "rec"}
    for sample in samples:
        value = sample.feeds["x"]
        assert value.dtype == np.float32
        assert (value[..., -1] != 0).any(), "filled up with grey"
        assert value.shape[2] == 48 or sample.part == "det"
    assert sum(sample.part == "det" for sample in reader.selection()) == 5


@needs_graphs
def test_loads_are_a_page_six_lines_and_all_there_is_to_do(reader: OcrSubject) -> None:
    found, six, whole = reader.loads
    assert found.label.startswith("det, 1 × 3 × ")
    assert six.samples[0].feeds["x"].shape == (6, 3, 48, 320)
    assert {sample.part for sample in whole.samples} == {"det", "cls", "rec"}


@needs_graphs
def test_pictures_with_little_text_cannot_judge(graphs: dict[str, onnx.ModelProto], tmp_path: Path) -> None:
    without = {part: graph for part, graph in graphs.items() if part != "cls"}
    sessions = open_subject(without, tmp_path, seed=0, threads=1)._original
    few = OcrSubject(without, sessions, read_settings(without), {part: pages(part, 0, 1) for part in Part})
    assert "cls" not in {sample.part for sample in few.calibration()}
    with pytest.raises(ConversionFailed, match="too few to judge by"):
        few.judge({}, Split.SELECTION)


def places() -> dict[str, onnx.ModelProto]:
    """A reader that takes what is bright for a line of text, and reads the same character in each."""

    def graph(name: str, nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray]) -> onnx.ModelProto:
        return helper.make_model(
            helper.make_graph(
                nodes,
                name,
                [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3, "h", "w"])],
                [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
                [numpy_helper.from_array(value, key) for key, value in constants.items()],
            ),
            opset_imports=[helper.make_opsetid("", 17)],
            ir_version=10,
        )

    bright = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Relu", ["mean"], ["y"]),
    ]
    constants = {"likely": np.array([[[0.1, 0.9]]], np.float32), "zero": np.array(0, np.float32)}
    one = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "last"], ["steps"]),
        helper.make_node("Mul", ["steps", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "likely"], ["y"]),
    ]
    rec = graph("rec", one, {**constants, "last": np.array([2], np.int64)})
    helper.set_model_props(rec, {"character": "a"})
    return {"det": graph("det", bright, {}), "rec": rec}


def page(height: int, line: bool) -> bytes:
    image = PIL.Image.new("RGB", (128, height))
    if line:
        image.paste((255, 255, 255), (16, 16, 112, 40))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def places_on(directory: Path, *files: bytes) -> OcrSubject:
    graphs = places()
    original = {}
    for part, graph in graphs.items():
        onnx.save(graph, directory / f"{part}.onnx")
        original[part] = open_session(directory / f"{part}.onnx", 1, exact_x86=False)
    return OcrSubject(graphs, original, read_settings(graphs), {part: Pictures(files, "drawn") for part in Part})


def test_time_is_measured_on_the_tallest_page_that_has_a_line(tmp_path: Path) -> None:
    subject = places_on(tmp_path, page(96, line=True), page(192, line=False), page(64, line=True))
    assert subject.loads[0].label == "det, 1 × 3 × 96 × 128"
    assert subject.loads is subject.loads, "pages are read for every measurement"


def test_where_no_page_has_a_line_it_is_said(tmp_path: Path) -> None:
    subject = places_on(tmp_path, page(96, line=False), page(64, line=False))
    with pytest.raises(ConversionFailed, match="no line of text in any of 2 pictures"):
        _ = subject.loads


def test_graphs_that_are_no_reader_are_refused() -> None:
    identity = helper.make_model(
        helper.make_graph(
            [helper.make_node("Identity", ["x"], ["y"])],
            "identity",
            [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])],
            [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])],
        )
    )
    with pytest.raises(SourceInvalid, match="not det\\."):
        read_settings({"det": identity})
    with pytest.raises(SourceInvalid, match="which characters"):
        read_settings({"det": identity, "rec": identity})
    helper.set_model_props(identity, {"character": "a\nb"})
    assert read_settings({"det": identity, "rec": identity}).characters == ("a", "b", " ")
