"""The task `voice-activity`: audio in, the probability of speech in each 32 ms out, billed by the second of audio.

Signature: input `audio` FP32 [samples] of one channel at 16 kHz, output `probabilities` FP32 [frames], both behind one
batch dimension. The graphs are Silero VAD's, in either of its shapes: `input, state, sr` for one frame of several
streams at a time, or `input, h, c` for all frames of one stream.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from registry.spec.session import Feeds, Session, open_graph
from registry.spec.signature import DataType, Signature, TensorSpec
from registry.spec.task import Criterion, Modality, Task, Unit

TASK = Task(
    name="voice-activity",
    title="Voice activity detection",
    input=Modality.AUDIO,
    output=Modality.TENSOR,
    units=(Unit("audio_seconds", billed=True, meaning="seconds of audio, a begun one counted whole"),),
    criteria=(
        Criterion("frame_agreement", "share of 32 ms frames that are speech, or are not, as in the original", 0.99),
        Criterion("probability_drift", "mean difference of a frame's probability", None, higher_is_better=False),
    ),
)

RATE = 16_000
FRAME = 512
CONTEXT = 64
"""Samples of the frame before that the model sees again in front of a frame."""
THRESHOLD = 0.5

_UNITS = 128  # of the recurrent layer
_RUN_FRAMES = 1024  # 33 s of one stream at once, some hundred MB; ten minutes of it would be gigabytes


class Shape(StrEnum):
    """How a graph takes its frames."""

    STEP = "step"
    """`input` [streams, 576], `state` [2, streams, 128] and mostly `sr`: one frame of each stream, carried by hand."""
    SEQUENCE = "sequence"
    """`input` [frames, 576], `h` and `c` [1, 1, 128]: many frames of one stream."""


def signature() -> Signature:
    """The public signature of a voice activity model."""
    return Signature(
        inputs=(TensorSpec("audio", DataType.FP32, (-1,)),),
        outputs=(TensorSpec("probabilities", DataType.FP32, (-1,)),),
    )


def shape_of(inputs: Collection[str]) -> Shape:
    """The shape of a graph with `inputs`. Raises ValueError where it is neither."""
    names = set(inputs)
    if names in ({"input", "state", "sr"}, {"input", "state"}):
        return Shape.STEP
    if names == {"input", "h", "c"}:
        return Shape.SEQUENCE
    raise ValueError("a voice activity graph takes input, state and sr, or input, h and c")


def frames(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """`audio` [samples] as FP32 [frames, 576]: each frame behind the end of the one before; zeros fill both ends."""
    count = max(1, -(-len(audio) // FRAME))
    padded = np.zeros(CONTEXT + count * FRAME, dtype=np.float32)
    padded[CONTEXT : CONTEXT + len(audio)] = audio
    windows = np.lib.stride_tricks.sliding_window_view(padded, CONTEXT + FRAME)[::FRAME]
    return np.ascontiguousarray(windows)


@dataclass(frozen=True)
class Detector:
    """An open graph and how it is fed."""

    session: Session
    shape: Shape
    takes_rate: bool

    @classmethod
    def over(cls, session: Session, inputs: Collection[str]) -> Detector:
        """A detector over a graph with `inputs`. Raises ValueError for inputs that are not Silero's."""
        return cls(session, shape_of(inputs), "sr" in inputs)

    @classmethod
    def open(cls, directory: Path, inputs: Collection[str], threads: int, *, exact_x86: bool) -> Detector:
        """The published detector in `directory`."""
        return cls.over(open_graph(directory, "model", threads, exact_x86=exact_x86), inputs)

    @property
    def outputs(self) -> list[str]:
        """What is read of the graph: probabilities, and the state after the frame."""
        return ["speech_probs", "hn", "cn"] if self.shape is Shape.SEQUENCE else ["output", "stateN"]

    def probabilities(self, streams: NDArray[np.float32]) -> NDArray[np.float32]:
        """Speech probabilities FP32 [streams, frames] of FP32 [streams, frames, 576], each stream from silence on."""
        if self.shape is Shape.SEQUENCE:
            return np.stack([self._sequence(stream) for stream in streams])
        state = initial_state(len(streams))
        columns = []
        for frame in np.swapaxes(streams, 0, 1):
            column, state = self._run(self.step_feeds(frame, state))
            columns.append(column.reshape(-1))
        return np.stack(columns, axis=1)

    def hear(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Speech probabilities FP32 [frames] of FP32 [samples] at 16 kHz."""
        heard: NDArray[np.float32] = self.probabilities(frames(audio)[None])[0]
        return heard

    def _sequence(self, stream: NDArray[np.float32]) -> NDArray[np.float32]:
        feeds = dict(sequence_feeds(stream))
        parts = []
        for start in range(0, len(stream), _RUN_FRAMES):
            feeds["input"] = np.ascontiguousarray(stream[start : start + _RUN_FRAMES])
            part, feeds["h"], feeds["c"] = self._run(feeds)
            parts.append(part.reshape(-1))
        return np.concatenate(parts)

    def step_feeds(self, frame: NDArray[np.float32], state: NDArray[np.float32]) -> Feeds:
        """The inputs for one frame FP32 [streams, 576] of each stream after `state` FP32 [2, streams, 128]."""
        rate = {"sr": np.array(RATE, dtype=np.int64)} if self.takes_rate else {}
        return {"input": np.ascontiguousarray(frame), "state": state, **rate}

    def _run(self, feeds: Feeds) -> list[NDArray[np.float32]]:
        return self.session.run(self.outputs, feeds)


def initial_state(streams: int) -> NDArray[np.float32]:
    """What a stream's state is before its first frame, FP32 [2, streams, 128]."""
    return np.zeros((2, streams, _UNITS), dtype=np.float32)


def sequence_feeds(stream: NDArray[np.float32]) -> Feeds:
    """The inputs for all frames FP32 [frames, 576] of one stream."""
    hidden, cell = initial_state(1)[:, None]
    return {"input": np.ascontiguousarray(stream), "h": hidden, "c": cell}


@dataclass(frozen=True)
class Agreement:
    """How well candidate probabilities stand in for the reference's, one value a stream."""

    same: NDArray[np.float64]
    drift: NDArray[np.float64]


def compare(reference: NDArray[np.float32], candidate: NDArray[np.float32]) -> Agreement:
    """Judge probabilities [streams, frames] as whoever cuts speech at 0.5 would notice.

    A frame that is not a number agrees with nothing.
    """
    if reference.shape != candidate.shape:
        raise ValueError(f"two equal sets of frames are needed, not {reference.shape} and {candidate.shape}")
    finite = np.isfinite(candidate)
    same = ((reference >= THRESHOLD) == (candidate >= THRESHOLD)) & finite
    drift = np.where(finite, np.abs(reference.astype(np.float64) - np.nan_to_num(candidate)), 1.0)
    return Agreement(same.mean(axis=1, dtype=np.float64), drift.mean(axis=1))


@dataclass(frozen=True)
class Hysteresis:
    """When speech begins and ends, in frames; the defaults are those of Silero's own package."""

    begins: float = THRESHOLD
    ends: float = THRESHOLD - 0.15
    least_speech: float = 0.25 * RATE / FRAME
    least_silence: float = 0.1 * RATE / FRAME


def segments(probabilities: NDArray[np.float32], rule: Hysteresis | None = None) -> list[tuple[float, float]]:
    """Where speech is, in seconds (begin, end), of one stream's probabilities [frames].

    Speech begins with a frame of at least `rule.begins`, and ends where frames stay below `rule.ends` for
    `rule.least_silence`; what is not longer than `rule.least_speech` is dropped.
    """
    rule = rule or Hysteresis()
    found: list[tuple[int, int]] = []
    start: int | None = None
    silent: int | None = None
    for position, probability in enumerate(probabilities):
        if probability >= rule.begins:
            start, silent = position if start is None else start, None
        elif start is not None and (probability < rule.ends or silent is not None):
            silent = position if silent is None else silent
            if probability < rule.ends and position - silent >= rule.least_silence:
                found.append((start, silent))
                start, silent = None, None
    if start is not None:
        found.append((start, len(probabilities)))
    return [(a * FRAME / RATE, b * FRAME / RATE) for a, b in found if b - a > rule.least_speech]
