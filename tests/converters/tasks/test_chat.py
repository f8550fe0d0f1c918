"""Chat models down their ladder, on a decoder of two layers and texts of its owner's."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime_genai as og
import pytest
from transformers import AutoModelForCausalLM

from converters.chat import generation
from converters.chat.decoder import Decoder
from converters.chat.recipes import Recipe
from converters.errors import SourceInvalid
from converters.job import Job
from converters.progress import Reporter
from converters.request import ConversionRequest
from converters.samples.text import Texts
from converters.sources.detect import inspect
from converters.steps import accuracy
from converters.subject import Split
from converters.tasks import attempts, chat, ladders
from converters.tasks.chat_ladder import ChatConverted, Ladder, Variant
from registry.spec.certificate import Arithmetic, Precision
from registry.spec.chat import TASK
from tests.converters.chat.decoders import write_gguf, write_huggingface

_WORDS = ["shell", "sea", "tide", "home", "wave", "sand", "salt", "reef", "moon", "wind"]


class Said(Reporter):
    """Remembers what was said; its clock is the number of recipes that were tried."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.steps: list[tuple[str, str, float | None]] = []

    @property
    def elapsed(self) -> float:
        return sum(message.startswith("trying") for _, message, _ in self.steps)

    def step(self, step: str, message: str, fraction: float | None = None) -> None:
        self.steps.append((step, message, fraction))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The decoder, with so many texts of its owner's that they choose and judge, too."""
    directory = tmp_path_factory.mktemp("chat") / "source"
    write_huggingface(directory)
    rng = np.random.default_rng(0)
    texts = [f"{number} " + " ".join(rng.choice(_WORDS, 12)) for number in range(220)]
    (directory / "calibration.txt").write_text("\n".join(texts))
    return directory


def job(source: Path, directory: Path, **asked: object) -> Job:
    """A conversion that has `directory` for itself; its findings stay where `directory` does."""
    request = ConversionRequest(source=source, task="chat", threads=1, **asked)
    output = directory / "output"
    shutil.rmtree(output, ignore_errors=True)
    made = Job(request, inspect(source, "chat"), output, directory / "cache", Said())
    made.model.mkdir(parents=True)
    return made


def said(found: Job) -> list[str]:
    assert isinstance(found.reporter, Said)
    return [message for _, message, _ in found.reporter.steps]


@pytest.fixture(scope="module")
def first(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Job:
    return job(source, tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def found(first: Job) -> ChatConverted:
    return chat.convert(first)


@pytest.fixture
def again(first: Job, found: ChatConverted, source: Path, tmp_path: Path) -> Job:
    """The same conversion after a kill: its findings are there, its files are not."""
    shutil.copytree(first.cache, tmp_path / "cache")
    return job(source, tmp_path)


def variants(found: ChatConverted) -> tuple[Variant, Variant]:
    assert found.int8 is not None
    assert found.int4 is not None
    return found.int8, found.int4


def written(directory: Path, prompt: list[int], count: int) -> list[int]:
    """The likeliest tokens after `prompt`, as the engine that serves writes them."""
    model = generation.open_model(directory, 1)
    parameters = og.GeneratorParams(model)
    parameters.set_search_options(max_length=len(prompt) + count, do_sample=False)
    generator = og.Generator(model, parameters)
    generator.append_tokens(prompt)
    for _ in range(count):
        generator.generate_next_token()
    return list(generator.get_sequence(0)[len(prompt) :])


def test_each_arithmetic_is_measured_by_every_criterion_of_the_task(found: ChatConverted) -> None:
    for variant in variants(found):
        assert [metric.name for metric in variant.accuracy] == [criterion.name for criterion in TASK.criteria]
        for metric in variant.accuracy:
            assert metric.low <= metric.value <= metric.high
        assert [entry.threads for entry in variant.latency] == [1, 1]


def test_eight_bits_are_closer_to_float_and_four_are_smaller(found: ChatConverted) -> None:
    points = {point.name: point for point in found.curve}  # which of them is best, this machine's load decides
    assert points["INT8"].figures["top1_agreement"] > points["INT4"].figures["top1_agreement"]
    # Both have zero points: each tensor of so small a decoder is padded to a page, so that their number decides.
    assert points["INT4"].size_ratio < points["INT8 in blocks of 16"].size_ratio < 1


def test_what_is_published_is_whole_and_writes_in_the_engine_that_serves_it(found: ChatConverted) -> None:
    for variant in variants(found):
        names = {path.name for path in variant.directory.iterdir()}
        assert {"genai_config.json", "model.onnx", "model.onnx.data", "tokenizer.json"} <= names
        assert len(written(variant.directory, [5, 6, 7], 4)) == 4


def test_nothing_that_is_published_names_where_it_was_made(found: ChatConverted, first: Job) -> None:
    for variant in variants(found):
        for path in variant.directory.iterdir():
            assert str(first.output).encode() not in path.read_bytes()


def test_the_curve_has_every_recipe_and_chosen_is_what_serves(found: ChatConverted) -> None:
    assert len(found.curve) == 5
    int8, _ = variants(found)
    served = [int8.name] if int8.objection is None else []
    assert (found.floating is None) == bool(served)
    assert [point.name for point in found.curve if point.chosen] == served
    for point in found.curve:
        assert point.loss > 1 - point.figures["top1_agreement"], "a share of the budget, which is a twentieth"


def test_all_three_sets_of_texts_are_the_owners(found: ChatConverted) -> None:
    assert [data.samples for data in found.data.values()] == [88, 44, 88]
    assert all("owner's own texts" in data.description for data in found.data.values())


def test_progress_goes_forward_and_says_what_is_tried(first: Job, found: ChatConverted) -> None:
    assert isinstance(first.reporter, Said)
    done = [fraction for _, _, fraction in first.reporter.steps if fraction is not None]
    assert done == sorted(done)
    assert any("INT4" in message for message in said(first))


def test_after_a_kill_nothing_is_measured_twice(
    again: Job, found: ChatConverted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(*_: object, **__: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(Decoder, "read", measured)
    monkeypatch.setattr(generation, "measure", measured)
    monkeypatch.setattr(chat, "read_original", measured)
    resumed = chat.convert(again)
    assert resumed.curve == found.curve
    for before, after in zip(variants(found), variants(resumed), strict=True):
        assert replace(after, directory=before.directory) == before
        assert (after.directory / "model.onnx.data").read_bytes() == (before.directory / "model.onnx.data").read_bytes()


def test_float_that_was_asked_for_is_held_to_the_weights_and_nothing_is_searched(source: Path, tmp_path: Path) -> None:
    asked = job(source, tmp_path, precision=Precision.FLOAT32)
    converted = ladders.convert_chat(asked)
    assert converted.decision.verdict == "certified"
    assert "asked for float32" in converted.decision.reason
    assert not any("trying" in message for message in said(asked))
    perplexity, top1 = converted.measured.accuracy
    assert perplexity.value == pytest.approx(1, abs=1e-4)
    assert top1.value > 0.999
    assert json.loads((asked.model / "runtime.json").read_text())["hardware_class"] == ""
    assert not (asked.output / "int4").exists()


def test_a_float_graph_that_is_not_the_model_is_rejected(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    write_huggingface(other, seed=1)
    build = chat.build
    monkeypatch.setattr(chat, "build", lambda _, target, scratch: build(other, target, scratch))
    decision = ladders.convert_chat(job(source, tmp_path, precision=Precision.FLOAT32)).decision
    assert decision.verdict == "rejected"
    assert "does not answer what the original does" in decision.reason
    assert "top1_agreement" in decision.reason


def test_int4_lies_beside_what_serves_with_its_own_figures(again: Job) -> None:
    converted = ladders.convert_chat(again)
    (offered,) = converted.measured.lowerings
    assert "top1_agreement" in offered.detail
    assert (again.output / "int4" / "model.onnx").exists()
    assert (again.model / "genai_config.json").exists()
    assert converted.measured.accuracy, "whatever serves was judged"


def test_of_several_gguf_files_the_one_that_was_inspected_is_converted(source: Path, tmp_path: Path) -> None:
    directory = tmp_path / "source"
    directory.mkdir()
    write_gguf(directory / "model.gguf", AutoModelForCausalLM.from_pretrained(source))
    (directory / "another.gguf").write_bytes(b"GGUF")
    shutil.copyfile(source / "calibration.txt", directory / "calibration.txt")
    converted = ladders.convert_chat(job(directory, tmp_path, precision=Precision.FLOAT32))
    assert converted.decision.verdict == "certified"
    assert converted.measured.accuracy[0].value == pytest.approx(1, abs=1e-4)


def test_at_the_time_limit_the_best_so_far_is_judged(again: Job, found: ChatConverted) -> None:
    limited = replace(again, request=again.request.model_copy(update={"time_limit": 0.5}))
    stopped = chat.convert(limited)
    assert [point.name for point in stopped.curve] == ["INT8"]
    assert stopped.int8 is not None
    assert stopped.int4 is None
    assert stopped.cut_short
    assert (stopped.floating is None) == (stopped.int8.objection is None)


def test_where_no_time_is_left_float_serves_and_says_so(
    again: Job, found: ChatConverted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "is_out_of_time", lambda _: True)
    converted = ladders.convert_chat(again)
    assert converted.decision.arithmetic is Arithmetic.FLOAT32
    assert "time limit was reached before INT8 was tried" in converted.decision.reason
    assert converted.measured.accuracy[1].name == "top1_agreement"


@pytest.mark.parametrize(
    ("objected", "asked"),
    [
        (1, [0.95, 0.975, 0.975]),
        (2, [0.95, 0.975, 0.9875, 0.9875]),
        (0, [0.95, 0.95]),
    ],
)
def test_who_is_judged_after_others_were_objected_to_has_to_be_surer(
    objected: int,
    asked: list[float],
    again: Job,
    found: ChatConverted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    confidences: list[float] = []
    judged = 0

    def variant(_: object, recipe: Recipe, confidence: float) -> Variant:
        nonlocal judged
        confidences.append(confidence)
        int8, _ = variants(found)
        judged += recipe.arithmetic is Arithmetic.INT8_WEIGHTS
        fails = recipe.arithmetic is Arithmetic.INT8_WEIGHTS and judged <= objected
        metrics = [m.model_copy(update={"passed": not fails}) for m in int8.accuracy]
        return replace(int8, name=recipe.name, arithmetic=recipe.arithmetic, accuracy=metrics, latency=[])

    def floating(_: object, earlier: int) -> Variant:
        confidences.append(accuracy.confidence_after(earlier))
        return variants(found)[0]

    monkeypatch.setattr(Ladder, "_variant", variant)
    monkeypatch.setattr(Ladder, "_floating", floating)
    chat.convert(again)
    assert confidences == asked


def refused(make: Callable[[], object], match: str) -> None:
    with pytest.raises(SourceInvalid, match=match):
        make()


def test_a_budget_for_something_else_is_refused(source: Path, tmp_path: Path) -> None:
    refused(lambda: chat.convert(job(source, tmp_path, budget={"cosine": 0.9})), "not judged by 'cosine'")


def test_texts_of_one_token_are_refused(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "conversations", lambda _: {split: Texts(("the sea",), "built in") for split in Split})
    copy = Path(shutil.copytree(source, tmp_path / "source"))
    (copy / "calibration.txt").write_text("a")
    refused(lambda: chat.convert(job(copy, tmp_path)), "of one token each")


def test_data_of_another_kind_is_refused(source: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(source, tmp_path / "source"))
    (copy / "calibration.txt").rename(copy / "calibration.zip")
    refused(lambda: chat.convert(job(copy, tmp_path)), "is not what this task calibrates with")
