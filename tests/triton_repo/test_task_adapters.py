"""Pictures, audio and files through a real Triton: each caller gets what the model answers to theirs alone."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image as Pillow

from converters.samples.lines import pages
from converters.samples.photographs import scenes
from converters.samples.speech import recordings
from converters.samples.split import Part
from registry.spec import classification, detection, ocr, voice_activity
from registry.spec.image import decode
from registry.spec.reader import Reader
from registry.spec.signature import DataType
from tests.triton_repo import tasks
from tests.triton_repo.calls import Answer, call
from tests.triton_repo.server import Server, server_in
from triton_repo.errors import TritonRepoError


@pytest_asyncio.fixture(scope="module")
async def triton(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A Triton for these models alone: other tests count what the common one has."""
    server = server_in(tmp_path_factory.mktemp("tasks"))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
        server.embedded.remove_shared_memory()


UNREADABLE = "refused input: The bytes are not a picture that can be read. Send a whole JPEG, PNG or WebP."


async def ask(triton: Server, model: str, name: str, *rows: bytes) -> Answer:
    return await call(triton.control, model, name, DataType.BYTES, [[row] for row in rows])


async def test_every_picture_has_its_own_boxes_whoever_it_shares_a_batch_with(triton: Server, tmp_path: Path) -> None:
    settings = tasks.write_detector(tmp_path / "detector")
    await triton.serve("detector", tmp_path / "detector", detection.signature(), max_batch=8)
    files = scenes(Part.SELECTION, 0, 40).files
    detector = detection.Detector.open(tmp_path / "detector", settings.detector, 1, exact_x86=False)
    expected = [detector.detect([decode(file)])[0] for file in files]
    assert sum(map(len, expected)) > 10, "pictures without objects show nothing"

    answers = await asyncio.gather(*(ask(triton, "detector", "image", file) for file in files))
    answers.append(await ask(triton, "detector", "image", *files[:7]))
    for file, wanted, answer in zip(files, expected, answers, strict=False):
        found = int((answer["labels"][0] != b"").sum())
        assert found == len(wanted)
        np.testing.assert_allclose(answer["boxes"][0, :found], wanted.corners, atol=0.05)
        np.testing.assert_allclose(answer["scores"][0, :found], wanted.scores, atol=1e-4)
        assert answer["labels"][0, :found].tolist() == [settings.detector.labels[c].encode() for c in wanted.classes]
        assert answer["conch_usage"].tolist() == [[1]]
        assert decode(file).shape[1] >= answer["boxes"][0, :, 2].max(initial=0)
    together = answers[-1]
    assert [int((row != b"").sum()) for row in together["labels"]] == [len(one) for one in expected[:7]]
    assert together["conch_usage"].tolist() == [[1]] * 7


async def test_what_is_no_picture_fails_alone_and_says_what_to_send(triton: Server, tmp_path: Path) -> None:
    tasks.write_detector(tmp_path / "strict")
    await triton.serve("strict", tmp_path / "strict", detection.signature(), max_batch=8)
    whole = scenes(Part.SELECTION, 1, 1).files[0]
    wrong = {
        b"no picture": UNREADABLE,
        whole[: len(whole) // 2]: UNREADABLE,
        b"": UNREADABLE,
        bomb(): "refused input: The picture has 30000 × 2000 pixels. Send one of at most 40 megapixels, "
        "no side longer than 20,000.",
    }
    answers = await asyncio.gather(
        *(ask(triton, "strict", "image", content) for content in [whole, *wrong, whole]), return_exceptions=True
    )
    assert [str(error.message) for error in answers[1:-1] if isinstance(error, TritonRepoError)] == list(wrong.values())
    for answer in (answers[0], answers[-1]):
        assert not isinstance(answer, BaseException)
        assert answer["conch_usage"].tolist() == [[1]]


@pytest.mark.parametrize("name", ["silero_vad_16k_sequence.onnx", "silero_vad_16k_op15.onnx"])
async def test_recordings_of_every_length_are_heard_as_they_are_alone(
    triton: Server, tmp_path: Path, name: str
) -> None:
    model = "voices" if "sequence" in name else "steps"
    settings = tasks.write_voice_activity(tmp_path / model, name)
    await triton.serve(model, tmp_path / model, voice_activity.signature(), max_batch=4)
    detector = voice_activity.Detector.open(tmp_path / model, settings.inputs, 1, exact_x86=False)
    speech = recordings("selection", 0, 1).audio[0]
    clips = [speech, speech[:16_000], speech[20_000:36_000], speech[:1], speech[:16_001]]
    answers = await asyncio.gather(*(call(triton.control, model, "audio", DataType.FP32, clip[None]) for clip in clips))
    for clip, answer in zip(clips, answers, strict=True):
        np.testing.assert_allclose(answer["probabilities"][0], detector.hear(clip), atol=1e-5)
    assert [answer["conch_usage"].tolist() for answer in answers] == [[[13]], [[1]], [[1]], [[1]], [[2]]]
    assert 0.1 < (answers[0]["probabilities"] > 0.5).mean() < 0.95

    for audio, reason in (
        ([[]], "has 0 samples"),
        ([[0.0, float("nan")]], "not finite"),
        ([[0.0] * 9_600_001], "Send 1"),
    ):
        with pytest.raises(TritonRepoError, match=reason):
            await call(triton.control, model, "audio", DataType.FP32, audio)


async def test_a_long_recording_is_heard_in_pieces_as_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tasks.write_voice_activity(tmp_path / "voices", "silero_vad_16k_sequence.onnx")
    detector = voice_activity.Detector.open(tmp_path / "voices", settings.inputs, 1, exact_x86=False)
    speech = recordings("selection", 0, 1).audio[0]
    whole = detector.hear(speech)
    monkeypatch.setattr(voice_activity, "_RUN_FRAMES", 100)
    np.testing.assert_allclose(detector.hear(speech), whole, atol=1e-5)


async def test_contents_are_named_as_magika_names_them(triton: Server, tmp_path: Path) -> None:
    settings = tasks.write_classifier(tmp_path / "contents")
    signature = classification.signature([classification.CONTENT], len(settings.classifier.labels))
    await triton.serve("contents", tmp_path / "contents", signature, max_batch=64)
    contents = {
        b"python": b"import asyncio\n\n\ndef main() -> None:\n    print('a shell')\n\n\nmain()\n" * 4,
        b"html": b"<!doctype html><html><head><title>A shell</title></head><body><p>Text</p></body></html>" * 4,
        b"json": b'{\n  "shell": [1, 2, 3],\n  "name": "conch",\n  "deep": {"a": null, "b": true}\n}\n',
        b"png": png(np.zeros((64, 64, 3), np.uint8)),
    }
    answers = await asyncio.gather(
        *(ask(triton, "contents", "content", content) for content in [*contents.values()] * 20)
    )
    for wanted, answer in zip([*contents] * 20, answers, strict=True):
        assert answer["labels"][0, answer["probabilities"][0].argmax()] == wanted
        assert answer["probabilities"].sum() == pytest.approx(1, abs=1e-4)
        assert answer["conch_usage"].tolist() == [[1]]
    assert (await ask(triton, "contents", "content", b""))["probabilities"].shape == (
        1,
        len(settings.classifier.labels),
    )


async def test_a_page_is_read_inside_triton_as_outside_of_it(triton: Server, tmp_path: Path) -> None:
    settings = tasks.write_reader(tmp_path / "reader")
    await triton.serve("reader", tmp_path / "reader", ocr.signature(), max_batch=1)
    files = pages(Part.SELECTION, 0, 3).files
    reader = Reader.open(tmp_path / "reader", settings.reader, 1, exact_x86=False)
    answers = await asyncio.gather(*(ask(triton, "reader", "image", file) for file in files))
    for file, answer in zip(files, answers, strict=True):
        page = reader.read(decode(file))
        assert page.lines
        assert answer["text"].tolist() == [[page.text.encode()]]
        assert answer["lines"].tolist() == [[line.text.encode() for line in page.lines]]
        np.testing.assert_allclose(answer["corners"][0], [line.corners for line in page.lines], atol=0.05)
        np.testing.assert_allclose(answer["scores"][0], [line.score for line in page.lines], atol=1e-3)
    blank = await ask(triton, "reader", "image", png(np.full((40, 60, 3), 255, np.uint8)))
    assert blank["text"].tolist() == [[b""]]
    assert blank["lines"].shape == (1, 0)
    assert blank["conch_usage"].tolist() == [[1]]
    with pytest.raises(TritonRepoError, match="Send a whole JPEG"):
        await ask(triton, "reader", "image", b"no picture")


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def bomb() -> bytes:
    """60 million pixels in a few kilobytes."""
    file = io.BytesIO()
    Pillow.new("1", (30_000, 2_000)).save(file, "PNG")
    return file.getvalue()
