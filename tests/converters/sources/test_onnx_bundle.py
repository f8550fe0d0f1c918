"""Several ONNX graphs as one source: each is looked at, and the dictionary has to fit the recogniser."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters.errors import SourceInvalid
from converters.sources import onnx_bundle
from converters.sources.detect import detect
from converters.sources.facts import Format
from converters.sources.graphs import load_graphs
from tests.converters.given import linear


def test_the_facts_of_pp_ocr(bundle: Path) -> None:
    assert detect(bundle)[0] is Format.ONNX_BUNDLE
    facts = onnx_bundle.inspect(bundle, "ocr")
    assert facts.files == {"det": "det.onnx", "rec": "rec.onnx", "cls": "cls.onnx"}
    assert facts.parameters == 3_996_025
    graphs = load_graphs(bundle, facts, threads=1)
    assert set(graphs) == {"det", "rec", "cls"}
    characters = onnx_bundle.dictionary(bundle, graphs["rec"])
    assert len(characters) == 6623
    assert {"A", "z", "9", "疗"} <= set(characters)


def test_the_direction_is_optional(bundle: Path) -> None:
    (bundle / "cls.onnx").unlink()
    assert onnx_bundle.inspect(bundle, "ocr").files == {"det": "det.onnx", "rec": "rec.onnx"}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A detector and a recogniser of six classes, with a dictionary of its own."""
    onnx.save(linear(), tmp_path / "det.onnx")
    recogniser = linear()
    recogniser.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", "steps", 6]))
    onnx.save(recogniser, tmp_path / "rec.onnx")
    (tmp_path / "dictionary.txt").write_text("a\nb\nc\nd\ne\n")
    return tmp_path


def test_a_dictionary_of_its_own_is_taken(small: Path) -> None:
    onnx_bundle.inspect(small, "ocr")
    assert onnx_bundle.dictionary(small, onnx.load(small / "rec.onnx")) == ("a", "b", "c", "d", "e")
    (small / "dictionary.txt").write_bytes(b"a\r\nb\r\nc\r\nd")  # with the space, five characters are six classes
    assert onnx_bundle.dictionary(small, onnx.load(small / "rec.onnx")) == ("a", "b", "c", "d")
    onnx_bundle.inspect(small, "ocr")


def _nan(source: Path) -> None:
    model = linear()
    weights = np.full((4, 3), np.nan, np.float32)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "w"))
    onnx.save(model, source / "det.onnx")


_CASES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no recogniser": (lambda s: (s / "rec.onnx").unlink(), "rec.onnx is missing"),
    "no detector": (lambda s: (s / "det.onnx").unlink(), "det.onnx is missing"),
    "a detector that is no ONNX": (lambda s: (s / "det.onnx").write_bytes(b"MZ"), "det.onnx is not an ONNX file"),
    "a direction that is no ONNX": (lambda s: (s / "cls.onnx").write_bytes(b"MZ"), "cls.onnx is not an ONNX file"),
    "a detector with NaN": (_nan, "Weights in det.onnx are NaN"),
    "no dictionary": (lambda s: (s / "dictionary.txt").unlink(), "no dictionary"),
    "an empty dictionary": (lambda s: (s / "dictionary.txt").write_text(""), "no dictionary"),
    "the dictionary of another model": (
        lambda s: (s / "dictionary.txt").write_text("a\nb\nc\n"),
        "3 characters, and the graph 6 classes",
    ),
    "a dictionary of words": (
        lambda s: (s / "dictionary.txt").write_text("extraordinarily\nlong words\nin it, really"),
        "3 characters",
    ),
    "a dictionary of sentences": (lambda s: (s / "dictionary.txt").write_text("x" * 100), "no character"),
    "a dictionary that is no text": (lambda s: (s / "dictionary.txt").write_bytes(b"\xff\xfe\n"), "not UTF-8"),
    "a huge dictionary": (lambda s: (s / "dictionary.txt").write_bytes(b"a\n" * 2**20), "more than 1048576 bytes"),
}


@pytest.mark.parametrize("case", _CASES)
def test_a_bundle_that_is_wrong_is_refused(case: str, small: Path) -> None:
    damage, message = _CASES[case]
    damage(small)
    with pytest.raises(SourceInvalid, match=message) as error:
        onnx_bundle.inspect(small, "ocr")
    assert error.value.remedy
    assert str(small) not in str(error.value)


def test_a_link_among_the_graphs_is_refused(small: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(small / "det.onnx", elsewhere / "cls.onnx")
    (small / "cls.onnx").symlink_to(elsewhere / "cls.onnx")
    with pytest.raises(SourceInvalid, match="not a plain file"):
        detect(small)
