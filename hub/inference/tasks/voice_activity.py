"""Voice activity: each audio part is a call, its answer where there is speech."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import UNSET, Meta

from hub.errors import Unprocessable
from hub.inference.messages import AudioPart, Part, Segment, SegmentsPart
from hub.inference.refusals import refused
from hub.inference.resolver import Target
from hub.inference.rows import Answer, Row, RowShapes
from hub.inference.tasks import parameters as task_parameters
from registry.spec import audio
from registry.spec.voice_activity import FRAME, RATE, THRESHOLD, Hysteresis, segments

_BELOW = THRESHOLD - Hysteresis().ends  # how much lower the threshold is at which speech ends, as in Silero's package


class VoiceActivityParameters(msgspec.Struct):
    """`threshold` is the probability from which on a frame begins speech, which ends 0.15 below it.

    `probabilities` asks for each frame's.
    """

    threshold: Annotated[float, Meta(gt=0, lt=1)] = THRESHOLD
    probabilities: bool = False


def encode(parts: Sequence[Part], parameters: Mapping[str, Any], _target: Target) -> tuple[RowShapes, list[Row]]:
    """The row of one audio part: one channel at 16 kHz. Raises `Unprocessable` for what is no audio, or too long.

    Recordings differ in length, and rows of a request are of one shape: so it is one recording a request.
    """
    task_parameters.read(parameters, VoiceActivityParameters)
    part = parts[0]
    if len(parts) > 1 or not isinstance(part, AudioPart):
        raise Unprocessable(
            "A voice activity model takes one audio part.",
            param="input",
            reason="modality",
            remedy='Send {"type": "audio", "data": …}, the file in base64, and one request for each recording.',
        )
    try:
        samples = audio.decode(part.data, RATE)
    except ValueError as error:
        raise refused(str(error), "input[0].data") from error
    return RowShapes((samples.shape,)), [(samples.tobytes(),)]


def decode(answer: Answer, parameters: Mapping[str, Any], _target: Target) -> list[SegmentsPart]:
    """One part."""
    read = task_parameters.read(parameters, VoiceActivityParameters)
    rule = Hysteresis(begins=read.threshold, ends=max(read.threshold - _BELOW, 0.01))
    return [_segments(np.frombuffer(row[0], dtype=np.float32), rule, read.probabilities) for row in answer.rows]


def _segments(heard: np.ndarray[tuple[int], np.dtype[np.float32]], rule: Hysteresis, with_frames: bool) -> SegmentsPart:
    found = [Segment(round(start, 3), round(end, 3)) for start, end in segments(heard, rule)]
    return SegmentsPart(found, FRAME / RATE, heard.tolist() if with_frames else UNSET)
