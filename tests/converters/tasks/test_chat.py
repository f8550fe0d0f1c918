from __future__ import annotations

from pathlib import Path

import pytest

from converters.chat import generation
from converters.errors import SourceInvalid
from converters.tasks import chat
from converters.tasks.chat import ChatConverted, Settings, convert
from registry.spec.chat import TASK
from tests.converters.chat.decoders import write_huggingface

_MESSAGES: list[tuple[str, float]] = []


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> ChatConverted:
    source = tmp_path_factory.mktemp("source")
    write_huggingface(source)
    _MESSAGES.clear()
    work = tmp_path_factory.mktemp("work")
    return convert(source, work, Settings(threads=1, seed=0), lambda _, text, done: _MESSAGES.append((text, done)))


def test_each_arithmetic_is_measured_by_every_criterion_of_the_task(converted: ChatConverted) -> None:
    for variant in (converted.int8, converted.int4):
        assert [metric.name for metric in variant.accuracy] == [criterion.name for criterion in TASK.criteria]
        for metric in variant.accuracy:
            assert metric.low <= metric.value <= metric.high
        assert [entry.threads for entry in variant.latency] == [1, 1]


def test_eight_bits_are_closer_to_float_and_four_are_smaller(converted: ChatConverted) -> None:
    int8, int4 = converted.int8, converted.int4
    assert int8.accuracy[1].value > int4.accuracy[1].value
    assert int4.size.quantized_bytes < int8.size.quantized_bytes < int8.size.float_bytes


def test_what_is_published_is_whole_and_writes_in_the_engine_that_serves_it(converted: ChatConverted) -> None:
    for variant in (converted.int8, converted.int4):
        names = {path.name for path in variant.directory.iterdir()}
        assert {"genai_config.json", "model.onnx", "model.onnx.data", "tokenizer.json"} <= names
        assert len(generation.write(generation.open_model(variant.directory, 1), [5, 6, 7], 4)) == 4


def test_nothing_that_is_published_names_where_it_was_made(converted: ChatConverted) -> None:
    for path in converted.int8.directory.iterdir():
        assert str(converted.floating.parent).encode() not in path.read_bytes()


def test_the_curve_has_every_recipe_and_one_choice_for_each_arithmetic(converted: ChatConverted) -> None:
    assert len(converted.curve) == 5
    assert sorted(point.arithmetic for point in converted.curve if point.chosen) == ["int4-weights", "int8-weights"]


def test_the_three_sets_of_texts_are_different(converted: ChatConverted) -> None:
    assert len({data.sha256 for data in converted.data.values()}) == 3


def test_progress_goes_forward_and_says_what_is_tried(converted: ChatConverted) -> None:
    done = [fraction for _, fraction in _MESSAGES]
    assert done == sorted(done)
    assert any("INT4" in text for text, _ in _MESSAGES)


def test_two_gguf_files_are_refused(tmp_path: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")
    with pytest.raises(SourceInvalid, match="the one that is to be served"):
        convert(tmp_path, tmp_path / "work", Settings(1, 0), lambda *_: None)


def test_a_budget_for_something_else_is_refused(tmp_path: Path) -> None:
    write_huggingface(tmp_path / "source")
    with pytest.raises(SourceInvalid, match="not judged by 'cosine'"):
        chat.convert(tmp_path / "source", tmp_path, Settings(1, 0, {"cosine": 0.9}), lambda *_: None)
