"""Images, audio and files from a client's request to Triton and back: answers, refusals, and what is booked."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest
import soundfile
from PIL import Image

from converters.samples.speech import recordings
from registry.spec.audio import decode
from tests.hub.inference.tasks.conftest import TaskPage
from tests.hub.problems import assert_problem
from tests.hub.stack import Stack

pytestmark = pytest.mark.timeout(600)

RATE = 16_000


def part(kind: str, content: bytes) -> dict[str, str]:
    return {"type": kind, "data": base64.b64encode(content).decode()}


def call(tenant: httpx.Client, model: str, *parts: dict[str, str], **parameters: Any) -> httpx.Response:
    return tenant.post("/v1/infer", json={"model": model, "input": list(parts), "parameters": parameters})


def recording(seconds: float, rate: int = RATE, kind: str = "WAV") -> bytes:
    audio = recordings("selection", 0, 1).audio[0][: round(seconds * RATE)]
    file = io.BytesIO()
    soundfile.write(file, audio, rate, format=kind)
    return file.getvalue()


def png(width: int, height: int, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (width, height)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def voices(page: Callable[[str], TaskPage]) -> str:
    page("voice-activity")
    return "voices"


@pytest.fixture(scope="module")
def detector(page: Callable[[str], TaskPage]) -> TaskPage:
    return page("detection")


@pytest.fixture(scope="module")
def contents(page: Callable[[str], TaskPage]) -> str:
    page("classification")
    return "contents"


def test_speech_is_found_in_every_format_and_at_every_rate(tenant: httpx.Client, voices: str) -> None:
    answers = [call(tenant, voices, part("audio", recording(12, kind=kind))) for kind in ("WAV", "FLAC")]
    [first, second] = [answer.json()["output"][0]["segments"] for answer in answers]
    assert first == second
    assert first
    assert all(0 <= segment["start"] < segment["end"] <= 12.1 for segment in first)
    half = call(tenant, voices, part("audio", recording(12, rate=2 * RATE)), probabilities=True).json()
    assert half["usage"]["audio_seconds"] == 6
    assert len(half["output"][0]["probabilities"]) == -(-6 * RATE // 512)


def test_a_threshold_that_little_reaches_leaves_less_speech(tenant: httpx.Client, voices: str) -> None:
    def seconds(threshold: float) -> float:
        answer = call(tenant, voices, part("audio", recording(12)), threshold=threshold).json()
        return sum(segment["end"] - segment["start"] for segment in answer["output"][0]["segments"])

    assert seconds(0.99) < seconds(0.5) < seconds(0.02)


def test_seconds_are_booked_as_they_are_answered(stack: Stack, tenant: httpx.Client, voices: str) -> None:
    body = call(tenant, voices, part("audio", recording(2.1))).json()
    assert body["usage"] == {"audio_seconds": 3, "cost": "0.000000300", "currency": "USD"}
    with psycopg.connect(stack.database_url) as connection:
        booked = connection.execute("select units, nano_charge from usage_records where id = %s", (body["id"],))
        assert booked.fetchall() == [({"audio_seconds": 3}, 300)]


def test_each_image_has_its_own_boxes_within_it(tenant: httpx.Client, detector: TaskPage) -> None:
    photo = (detector.directory / "photo.jpg").read_bytes()
    width, height = Image.open(io.BytesIO(photo)).size
    body = call(tenant, "detector", part("image", png(40, 30)), part("image", photo)).json()
    nothing, something = (output["boxes"] for output in body["output"])
    assert nothing == []
    assert something
    for box in something:
        x1, y1, x2, y2 = box["box"]
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height
        assert 0.25 <= box["score"] <= 1
    assert body["usage"]["images"] == 2
    highest = max(box["score"] for box in something)
    none = call(tenant, "detector", part("image", photo), threshold=min(1.0, highest + 1e-3)).json()
    assert none["output"][0]["boxes"] == []


def test_a_file_is_classified_by_its_content(tenant: httpx.Client, contents: str) -> None:
    text = {"type": "text", "text": "import asyncio\n\n\ndef main() -> None:\n    print('a shell')\n" * 4}
    body = call(tenant, contents, part("document", png(64, 64)), text, top_k=3).json()
    labels = [output["labels"] for output in body["output"]]
    assert [len(one) for one in labels] == [3, 3]
    assert [one[0]["label"] for one in labels] == ["png", "python"]
    assert all(one[0]["probability"] > one[1]["probability"] for one in labels)
    assert body["usage"]["requests"] == 2


WHOLE_IMAGE = "Send a whole JPEG, PNG or WebP."
WHOLE_AUDIO = "Send a whole WAV, FLAC or Ogg file."
SMALLER = "Send one of at most 40 megapixels, no side longer than 20,000."


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"", WHOLE_IMAGE),
        (b"no picture", WHOLE_IMAGE),
        (b"GIF89a" + bytes(40), WHOLE_IMAGE),
        (png(200, 200)[:60], WHOLE_IMAGE),
        (png(9000, 9000, "1"), SMALLER),
        (png(30_000, 1, "1"), SMALLER),
        (png(15_000, 15_000, "1"), SMALLER),
    ],
    ids=["nothing", "text", "another format", "truncated", "bomb", "long", "bomb by Pillow's own measure"],
)
def test_what_is_no_image_costs_nothing_and_says_what_to_send(
    stack: Stack, tenant: httpx.Client, detector: TaskPage, content: bytes, remedy: str
) -> None:
    before = _calls(stack)
    answer = call(tenant, "detector", part("image", png(8, 8)), part("image", content))
    error = assert_problem(answer, 422, "invalid_request")
    assert error["param"] in ("input[1].data", "input")
    assert error["metadata"]["remedy_hint"] == remedy
    assert _calls(stack) == before


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"", WHOLE_AUDIO),
        (b"R", WHOLE_AUDIO),
        (b"no audio at all", WHOLE_AUDIO),
        (recording(0), WHOLE_AUDIO),
        (recording(1)[:30], WHOLE_AUDIO),
        (recording(1, rate=3_000), "Send it at 4 to 192 kHz."),
    ],
    ids=["nothing", "one byte", "text", "no samples", "truncated", "rate"],
)
def test_what_is_no_audio_costs_nothing_and_says_what_to_send(
    stack: Stack, tenant: httpx.Client, voices: str, content: bytes, remedy: str
) -> None:
    before = _calls(stack)
    error = assert_problem(call(tenant, voices, part("audio", content)), 422, "invalid_request")
    assert (error["param"], error["metadata"]["remedy_hint"]) == ("input[0].data", remedy)
    assert _calls(stack) == before


def test_audio_that_unpacks_to_more_than_ten_minutes_is_refused_as_it_unpacks(
    tenant: httpx.Client, voices: str
) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(601 * RATE, np.float32), RATE, format="FLAC")
    assert len(file.getvalue()) < 200_000
    error = assert_problem(call(tenant, voices, part("audio", file.getvalue())), 422, "invalid_request")
    assert error["message"] == "The audio is longer than 600 seconds."
    with pytest.raises(ValueError, match="longer than 600 seconds"):
        decode(file.getvalue(), RATE)


@pytest.mark.parametrize(
    ("model", "given", "parameters", "param"),
    [
        ("detector", {"type": "image", "data": "=not base64="}, {}, "input[0].data"),
        ("detector", {"type": "image", "data": 7}, {}, "input[0].data"),
        ("detector", {"type": "image"}, {}, "input[0]"),
        ("detector", {"type": "image", "data": "", "url": "http://127.0.0.1"}, {}, "input[0].url"),
        ("detector", {"type": "text", "text": "a picture"}, {}, "input[0]"),
        ("detector", part("image", png(8, 8)), {"threshold": 2}, "parameters.threshold"),
        ("detector", part("image", png(8, 8)), {"treshold": 0.5}, "parameters.treshold"),
        ("voices", part("image", png(8, 8)), {}, "input"),
        ("voices", part("audio", recording(1)), {"threshold": "high"}, "parameters.threshold"),
        ("voices", part("audio", recording(1)), {"threshold": 0}, "parameters.threshold"),
        ("contents", part("audio", b"x"), {}, "input[0]"),
        ("contents", part("document", b"x"), {"top_k": 0}, "parameters.top_k"),
    ],
)
@pytest.mark.usefixtures("detector", "voices", "contents")
def test_a_wrong_part_or_parameter_is_named(
    tenant: httpx.Client, model: str, given: dict[str, Any], parameters: dict[str, Any], param: str
) -> None:
    error = assert_problem(call(tenant, model, given, **parameters), 422, "invalid_request")
    assert error["param"] == param
    if "base64" in str(given):
        assert "in base64 with its padding" in error["metadata"]["remedy_hint"]


def _calls(stack: Stack) -> int:
    with psycopg.connect(stack.database_url) as connection:
        [(count,)] = connection.execute("select count(*) from usage_records").fetchall()
    return int(count)
