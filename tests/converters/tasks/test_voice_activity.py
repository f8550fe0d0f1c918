"""Silero VAD in both shapes, as the search sees it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from converters.errors import SourceInvalid
from converters.samples.speech import recordings
from converters.samples.split import Part
from converters.subject import Split
from converters.tasks import voice_activity
from converters.tasks.voice_activity import PART, VoiceActivitySubject, open_subject
from registry.spec.session import open_session
from registry.spec.voice_activity import TASK

silero_vad = pytest.importorskip("silero_vad")
GRAPHS = Path(silero_vad.__file__).parent / "data"
STEP, SEQUENCE = "silero_vad_16k_op15.onnx", "silero_vad_16k_sequence.onnx"


@pytest.fixture(scope="module", params=[STEP, SEQUENCE])
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VoiceActivitySubject:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(voice_activity, "_COUNTS", dict.fromkeys(Part, 3))
        return open_subject(onnx.load(GRAPHS / request.param), tmp_path_factory.mktemp("vad"), seed=0, threads=1)


def opened(subject: VoiceActivitySubject, directory: Path, graph: onnx.ModelProto | None = None) -> dict[str, object]:
    onnx.save(graph or subject.graphs[PART], directory / "model.onnx")
    return {PART: open_session(directory / "model.onnx", 1, exact_x86=False)}


def test_the_original_agrees_with_itself_in_every_frame(subject: VoiceActivitySubject, tmp_path: Path) -> None:
    model = opened(subject, tmp_path)
    for split in Split:
        agreement, drift = subject.judge(model, split)
        assert [agreement.name, drift.name] == [criterion.name for criterion in TASK.criteria]
        assert (agreement.values == 1).all()
        assert (drift.values == 0).all()
        assert agreement.weights is not None
        assert agreement.weights.sum() == 3 * 384


def test_coarse_weights_are_noticed(subject: VoiceActivitySubject, tmp_path: Path) -> None:
    coarse = onnx.ModelProto()
    coarse.CopyFrom(subject.graphs[PART])
    for tensor in coarse.graph.initializer:
        if "encoder.0" in tensor.name and tensor.name.endswith("weight"):
            values = onnx.numpy_helper.to_array(tensor)
            step = np.abs(values).max() / 3
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.rint(values / step) * step, tensor.name))
    agreement, drift = subject.judge(opened(subject, tmp_path, coarse), Split.SELECTION)
    assert agreement.values.mean() < 0.99
    assert drift.values.mean() > 0.01


def test_the_graph_takes_every_sample_and_states_are_carried(subject: VoiceActivitySubject, tmp_path: Path) -> None:
    session = opened(subject, tmp_path)[PART]
    samples = list(subject.calibration())
    for sample in [*samples[::40], *list(subject.selection())[::20], *subject.loads[0].samples]:
        session.run(None, sample.feeds)
    states = [feeds["state"] for feeds in (sample.feeds for sample in samples) if "state" in feeds]
    assert not states or (not states[0].any() and states[-1].any())


def test_there_is_speech_and_there_is_none_in_what_is_judged(subject: VoiceActivitySubject) -> None:
    (probabilities,) = subject._probabilities(subject._original, Split.HELD_OUT)
    assert 0.1 < (probabilities > 0.5).mean() < 0.9


def test_both_shapes_hear_the_same(tmp_path: Path) -> None:
    data = {part: recordings(part.value, 0, 1) for part in Part}
    heard = []
    for name in (STEP, SEQUENCE):
        session = open_session(GRAPHS / name, 1, exact_x86=False)
        graph = onnx.load(GRAPHS / name)
        detector = voice_activity.Detector.over(session, voice_activity.inputs_of(graph))
        subject = VoiceActivitySubject(graph, detector, data)
        heard.append(subject._probabilities(detector, Split.HELD_OUT)[0])
    np.testing.assert_allclose(heard[0], heard[1], atol=1e-4)


def test_another_graph_is_refused_with_what_to_upload(tmp_path: Path) -> None:
    node = helper.make_node("Identity", ["audio"], ["same"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("audio", "same")]
    model = helper.make_model(helper.make_graph([node], "g", values[:1], values[1:]))
    with pytest.raises(SourceInvalid, match="silero-vad package"):
        open_subject(model, tmp_path, seed=0, threads=1)
