from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import magika
import numpy as np
import onnx
import pytest

from converters.errors import SourceInvalid
from converters.samples.contents import CALIBRATION
from converters.subject import Split
from converters.tasks import classification
from converters.tasks.classification import PART, ClassificationSubject, Rows, read_labels, read_windows
from registry.spec.classification import TASK
from registry.spec.session import Session, open_session

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
    few = {name: Rows(rows.part(0, _FEW[name]), rows.data) for name, rows in found.items()}
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
    assert len(read_labels(MAGIKA)) == 214
    assert read_windows(MAGIKA) == replace(read_windows(MAGIKA), first=1024, last=1024, padding=256)
    assert len({data.sha256 for data in subject.data.values()}) == 3


def test_a_directory_without_a_configuration_reads_no_bytes(tmp_path: Path) -> None:
    assert read_windows(tmp_path) is None
    assert read_labels(tmp_path) == ()


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
