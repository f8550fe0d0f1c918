"""A voice activity detector shaped like Silero VAD, as the search sees it: recordings in, frames compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from converters.errors import ConversionFailed, SourceInvalid
from converters.samples.speech import Recordings, own_recordings, recordings
from converters.samples.split import Part
from converters.samples.uploaded import Uploaded
from converters.samples.uploaded_audio import Clip
from converters.steps.graph import graph_inputs
from converters.steps.run import EngineRefused, open_float, run
from converters.subject import Figure, Load, Model, Sample, Split
from registry.spec.certificate import Data
from registry.spec.voice_activity import RATE, Detector, Shape, compare, frames, initial_state, sequence_feeds, shape_of

PART = "model"

_COUNTS = {Part.CALIBRATION: 24, Part.SELECTION: 48, Part.HELD_OUT: 72}
_RANKED = 6  # recordings that layers are ranked with: 2,304 frames
_EVERY = 6  # frames that layers are ranked with where a run takes one: more of them are much alike
_SECOND = 32  # frames: 1.024 s

Streams = NDArray[np.float32]
"""FP32 [streams, frames, 576] of recordings that are equally long."""


class VoiceActivitySubject:
    """The subject of one detector; `original` is its FP32 graph, open."""

    def __init__(self, graph: onnx.ModelProto, original: Detector, data: Mapping[Part, Recordings]) -> None:
        self._graph = graph
        self._original = original
        self._inputs = inputs_of(graph)
        self._recordings = data
        self._streams = {part: _streams(found, _fixed_batch(graph)) for part, found in data.items()}
        self._references: dict[Split, list[NDArray[np.float32]]] = {}

    @property
    def graphs(self) -> Mapping[str, onnx.ModelProto]:
        """The float graph, the only part."""
        return {PART: self._graph}

    @property
    def data(self) -> Mapping[str, Data]:
        """The recordings of each purpose."""
        return {part.value: found.data() for part, found in self._recordings.items()}

    @cached_property
    def loads(self) -> tuple[Load, ...]:
        """One second of one stream, as it is served: frame by frame, or all of its frames at once."""
        second = self._streams[Part.SELECTION][0][:1, :_SECOND]
        label = f"{second.shape[1]} frames of 32 ms, {'one by one' if self._steps else 'at once'}"
        return (Load(label, tuple(self._samples(second))),)

    def excerpt(self, seconds: int) -> NDArray[np.float32]:
        """The loudest `seconds` of the first recording of the selection data, FP32 [samples] at 16 kHz."""
        audio = self._recordings[Part.SELECTION].audio[0]
        starts = range(0, max(1, len(audio) - seconds * RATE + 1), RATE)
        loudest = max(starts, key=lambda start: float(np.square(audio[start : start + seconds * RATE]).sum()))
        return audio[loudest : loudest + seconds * RATE]

    def calibration(self) -> Iterator[Sample]:
        """Every frame, behind the state that the original carries to it."""
        for streams in self._streams[Part.CALIBRATION]:
            yield from self._samples(streams)

    def selection(self) -> Iterator[Sample]:
        """Frames of a few recordings of the selection data."""
        for streams in self._streams[Part.SELECTION][:_RANKED]:
            yield from list(self._samples(streams[:_RANKED]))[:: _EVERY if self._steps else 1]

    def judge(self, model: Model, split: Split) -> list[Figure]:
        """`frame_agreement` and `probability_drift` by recording, weighted by frames."""
        if split not in self._references:
            self._references[split] = self._probabilities(self._original, split)
        candidate = self._probabilities(Detector.over(model[PART], self._inputs), split)
        found = [compare(*pair) for pair in zip(self._references[split], candidate, strict=True)]
        weights = np.concatenate([np.full(len(p), p.shape[1], dtype=np.float64) for p in candidate])
        return [
            Figure("frame_agreement", np.concatenate([agreement.same for agreement in found]), weights),
            Figure("probability_drift", np.concatenate([agreement.drift for agreement in found]), weights),
        ]

    @property
    def _steps(self) -> bool:
        return self._original.shape is Shape.STEP

    def _probabilities(self, detector: Detector, split: Split) -> list[NDArray[np.float32]]:
        return [detector.probabilities(streams) for streams in self._streams[Part(split.value)]]

    def _samples(self, streams: Streams) -> Iterator[Sample]:
        """What a graph takes for `streams` in order. States are the original's: a candidate's own drift with it."""
        if not self._steps:
            yield from (Sample(PART, sequence_feeds(stream)) for stream in streams)
            return
        state = initial_state(len(streams))
        for frame in np.swapaxes(streams, 0, 1):
            feeds = self._original.step_feeds(frame, state)
            yield Sample(PART, feeds)
            (state,) = self._original.session.run(["stateN"], feeds)


def open_subject(
    graph: onnx.ModelProto, scratch: Path, seed: int, threads: int, own: Uploaded[Clip] | None = None
) -> VoiceActivitySubject:
    """The subject of the detector `graph`, calibrated and judged on built-in recordings or on the owner's clips.

    `scratch` is a directory for the FP32 graph that everything is measured against; `own` are clips at 16 kHz. Raises
    SourceInvalid for a graph that is not shaped like Silero VAD's, ConversionFailed where it does not run.
    """
    inputs = inputs_of(graph)
    try:
        shape_of(inputs)
    except ValueError as error:
        raise _not_a_detector(str(error)) from error
    path = scratch / "original.onnx"
    onnx.save(graph, path)
    try:
        original = Detector.over(open_float(path, threads), inputs)
        silence = frames(np.zeros(1, dtype=np.float32))
        feeds = original.step_feeds(silence, initial_state(1))
        run(original.session, original.outputs, feeds if original.shape is Shape.STEP else sequence_feeds(silence))
    except EngineRefused as error:
        raise _does_not_run() from error
    return VoiceActivitySubject(graph, original, _data(seed, own))


def inputs_of(graph: onnx.ModelProto) -> tuple[str, ...]:
    """The names of the graph's inputs, without those that are constants."""
    return tuple(value.name for value in graph_inputs(graph))


def _data(seed: int, own: Uploaded[Clip] | None) -> dict[Part, Recordings]:
    data = {part: recordings(part.value, seed, count) for part, count in _COUNTS.items()}
    if own is None:
        return data
    if own.judges:
        return {part: own_recordings(own.part(part)) for part in Part}
    return {**data, Part.CALIBRATION: own_recordings(own)}


def _fixed_batch(graph: onnx.ModelProto) -> bool:
    value = next(value for value in graph.graph.input if value.name == "input")
    return bool(value.type.tensor_type.shape.dim[0].dim_value == 1)


def _streams(found: Recordings, one_by_one: bool) -> list[Streams]:
    """The frames of all recordings, those together that are equally long."""
    lengths: dict[int, list[NDArray[np.float32]]] = {}
    for audio in found.audio:
        rows = frames(audio)
        lengths.setdefault(len(rows), []).append(rows)
    return [
        np.stack(portion)
        for _, rows in sorted(lengths.items())
        for portion in _portions(rows, 1 if one_by_one else len(rows))
    ]


def _portions(rows: Sequence[NDArray[np.float32]], size: int) -> Iterator[Sequence[NDArray[np.float32]]]:
    yield from (rows[start : start + size] for start in range(0, len(rows), size))


def _not_a_detector(why: str) -> SourceInvalid:
    return SourceInvalid(
        f"The graph is not shaped like Silero VAD's: {why}.",
        "Upload silero_vad_16k_op15.onnx or silero_vad_16k_sequence.onnx of the silero-vad package as model.onnx.",
    )


def _does_not_run() -> ConversionFailed:
    return ConversionFailed(
        "ONNX Runtime cannot run the detector on one frame of silence.",
        "Check that it runs with onnxruntime on `input` FP32 [1, 576], and gives `output` and `stateN`, or "
        "`speech_probs`.",
    )
