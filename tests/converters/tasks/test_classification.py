from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import magika
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters.errors import SourceInvalid
from converters.samples.contents import CALIBRATION, Contents
from converters.samples.split import Part
from converters.samples.uploaded_contents import files
from converters.subject import Split
from converters.tasks import classification
from converters.tasks.classification import PART, ClassificationSubject, Rows, read_labels, read_windows
from registry.spec.certificate import Data
from registry.spec.classification import TASK
from registry.spec.session import Session, open_session
from tests.converters.samples.owners import zip_of

MAGIKA = Path(magika.__file__).parent / "models" / "standard_v3_3"
_FEW = {CALIBRATION: 40, Split.SELECTION: 40, Split.HELD_OUT: 48}


@pytest.fixture(scope="module")
def session() -> Session:
    return open_session(MAGIKA / "model.onnx", 1, exact_x86=False)


@pytest.fixture(scope="module")
def subject(session: Session) -> ClassificationSubject:
    windows = read_windows(MAGIKA)
    assert windows is not None
    graph = onnx.load(MAGIKA / "model.onnx")
    found = classification.content_rows(graph, windows, 0)
    few = {
        name: Rows(tuple({n: value[: _FEW[name]] for n, value in group.items()} for group in rows.groups), rows.data)
        for name, rows in found.items()
    }
    return ClassificationSubject(graph, session, few)


class Biased:
    """A classifier that always likes its first label better than the original does."""

    def __init__(self, original: Session) -> None:
        self._original = original

    def run(self, outputs: object, feeds: dict) -> list[np.ndarray]:
        (values,) = self._original.run(outputs, feeds)
        values[:, 0] += 1.0
        return [values / values.sum(axis=1, keepdims=True)]


def test_the_original_agrees_with_itself_perfectly(subject: ClassificationSubject, session: Session) -> None:
    figures = {figure.name: figure.values for figure in subject.judge({PART: session}, Split.HELD_OUT)}
    assert list(figures) == [criterion.name for criterion in TASK.criteria]
    assert figures["agreement"].tolist() == [1.0] * 48
    assert figures["kl_divergence"].max() == 0.0


def test_another_classifier_is_found_out(subject: ClassificationSubject, session: Session) -> None:
    figures = {figure.name: figure.values for figure in subject.judge({PART: Biased(session)}, Split.SELECTION)}
    assert figures["agreement"].mean() < 0.5
    assert figures["kl_divergence"].mean() > 0.3


def test_calibration_gives_every_row_once_and_from_the_first_again(subject: ClassificationSubject) -> None:
    for _ in range(2):
        samples = list(subject.calibration())
        assert sum(len(sample.feeds["bytes"]) for sample in samples) == 40
        assert {sample.feeds["bytes"].dtype for sample in samples} == {np.dtype(np.int32)}


def test_latency_is_measured_with_one_row_and_with_eight(subject: ClassificationSubject) -> None:
    assert [load.label for load in subject.loads] == ["1 × 2048", "8 × 2048"]


def test_labels_and_windows_are_magikas(subject: ClassificationSubject) -> None:
    assert read_labels(MAGIKA, 214)[:2] == ("3gp", "ace")
    with pytest.raises(SourceInvalid, match="names 214 labels, and the graph answers 213"):
        read_labels(MAGIKA, 213)
    assert read_windows(MAGIKA) == replace(read_windows(MAGIKA), first=1024, last=1024, padding=256)
    assert len({data.sha256 for data in subject.data.values()}) == 3


def test_a_directory_without_a_configuration_reads_no_bytes(tmp_path: Path) -> None:
    assert read_windows(tmp_path) is None
    assert read_labels(tmp_path, 2) == ("0", "1")


@pytest.mark.parametrize("change", [{"mid_size": 512}, {"beg_size": -1}, {"padding_token": "256"}])
def test_a_configuration_that_asks_for_other_bytes_is_refused(change: dict, tmp_path: Path) -> None:
    config = {"beg_size": 8, "end_size": 8, "block_size": 64, "padding_token": 256, "mid_size": 0, **change}
    (tmp_path / "config.min.json").write_text(json.dumps(config))
    with pytest.raises(SourceInvalid, match="mid_size is 0"):
        read_windows(tmp_path)


def test_a_graph_that_reads_something_else_is_refused() -> None:
    windows = read_windows(MAGIKA)
    assert windows is not None
    with pytest.raises(SourceInvalid, match="does not read 2047 bytes"):
        classification.content_rows(onnx.load(MAGIKA / "model.onnx"), replace(windows, first=1023), 0)


def scored(*operators: str, columns: int = 1) -> onnx.ModelProto:
    """y = x W behind `operators`, with x FP32 [rows, tokens] of any length and y [rows, columns]."""
    weight = np.linspace(-1, 2, 4 * columns, dtype=np.float32).reshape(4, columns)
    constants = {"w": weight, "axis": np.array([1], np.int64), "shape": np.array([-1, 1, columns], np.int64)}
    nodes = [
        helper.make_node("ReduceMean", ["x", "axis"], ["mean"], keepdims=1),
        helper.make_node("Expand", ["mean", "four"], ["wide"]),
        helper.make_node("MatMul", ["wide", "w"], ["v0"]),
    ]
    for number, operator in enumerate(operators):
        inputs = [f"v{number}", "shape"] if operator == "Reshape" else [f"v{number}"]
        attributes = {"axis": 1} if operator == "ArgMax" else {}
        nodes.append(helper.make_node(operator, inputs, [f"v{number + 1}"], **attributes))
    nodes.append(helper.make_node("Identity", [f"v{len(operators)}"], ["y"]))
    graph = helper.make_graph(
        nodes,
        "scored",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", "tokens"])],
        [helper.make_tensor_value_info("y", TensorProto.INT64 if "ArgMax" in operators else TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in {**constants, "four": np.array([1, 4])}.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def opened(graph: onnx.ModelProto, directory: Path) -> Session:
    onnx.save(graph, directory / "graph.onnx")
    return open_session(directory / "graph.onnx", 1, exact_x86=False)


def rows_of_lengths(*lengths: int) -> dict[str, Rows]:
    rng = np.random.default_rng(0)
    rows = [{"x": rng.standard_normal((1, length)).astype(np.float32)} for length in lengths]
    return {part.value: Rows.of(rows, Data(description="drawn", samples=len(rows), sha256="")) for part in Part}


def tiny(graph: onnx.ModelProto, directory: Path, *lengths: int) -> ClassificationSubject:
    return ClassificationSubject(graph, opened(graph, directory), rows_of_lengths(*lengths))


def test_a_sigmoid_is_judged_by_both_of_its_labels(tmp_path: Path) -> None:
    graph = scored("Sigmoid")
    subject = tiny(graph, tmp_path, *[5] * 60)
    agreement, divergence = subject.judge({PART: opened(graph, tmp_path)}, Split.HELD_OUT)
    assert agreement.values.all()
    assert not divergence.values.any()
    contrary = {PART: opened(scored("Neg", "Sigmoid"), tmp_path)}
    agreement, divergence = subject.judge(contrary, Split.HELD_OUT)
    assert not agreement.values.any()
    assert divergence.values.min() > 0


@pytest.mark.parametrize(
    ("operators", "columns", "why"),
    [
        ((), 1, "one number a row"),
        (("Reshape",), 3, r"float32 \[\d+, 1, 3\]"),
        (("ArgMax",), 3, r"int64 \[\d+, 1\]"),
    ],
)
def test_what_is_no_score_for_each_label_is_refused(
    operators: tuple[str, ...], columns: int, why: str, tmp_path: Path
) -> None:
    with pytest.raises(SourceInvalid, match=why) as error:
        tiny(scored(*operators, columns=columns), tmp_path, *[5] * 40)
    assert "task tensor" in error.value.remedy


def test_rows_of_different_lengths_are_each_run_with_their_like(tmp_path: Path) -> None:
    graph = scored(columns=3)
    subject = tiny(graph, tmp_path, *[5, 7, 5, 9, 7, 5] * 20)
    assert [sample.feeds["x"].shape for sample in subject.calibration()][:3] == [(32, 5), (28, 5), (32, 7)]
    assert sum(len(sample.feeds["x"]) for sample in subject.selection()) >= 64
    assert [load.label for load in subject.loads] == ["1 × 5", "8 × 5"]
    agreement, _ = subject.judge({PART: opened(graph, tmp_path)}, Split.HELD_OUT)
    assert agreement.values.tolist() == [1.0] * 120


def test_a_load_has_its_rows_where_the_owner_has_fewer(tmp_path: Path) -> None:
    subject = tiny(scored(columns=3), tmp_path, 5, 6, 6)
    assert [load.samples[0].feeds["x"].shape for load in subject.loads] == [(1, 6), (8, 6)]


@pytest.mark.parametrize(("count", "sizes"), [(5, [5, 4, 4]), (250, [100, 50, 100])])
def test_an_owners_files_calibrate_and_where_there_are_enough_judge(
    count: int, sizes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = files(zip_of(tmp_path / "calibration.zip", {f"{n}.txt": b"file %d" % n for n in range(count)}), edge=64)
    built_in = Contents((b"file 3", *(b"built in %d" % n for n in range(4))), "built in")
    monkeypatch.setattr(classification, "contents", lambda _: {part.value: built_in for part in Part})
    windows = read_windows(MAGIKA)
    assert windows is not None
    rows = classification.content_rows(onnx.load(MAGIKA / "model.onnx"), windows, 0, own)
    assert [len(rows[part].groups[0]["bytes"]) for part in Part] == sizes
    assert "owner" in rows[CALIBRATION].data.description
    assert ("owner" in rows[Split.HELD_OUT].data.description) == (count > 200)
