"""A Piper voice, as the search sees it: sentences in phonemes, audio compared by ear's measure, in mel bands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from converters.errors import ConversionFailed, SourceInvalid
from converters.samples.split import Part
from converters.samples.spoken import sentences
from converters.samples.text import Texts
from converters.samples.uploaded import Uploaded
from converters.sources.files import read_object, whole
from converters.steps.graph import graph_inputs
from converters.steps.run import EngineRefused, Refusing, open_float
from converters.subject import Figure, Load, Model, Sample, Split
from converters.tasks.own_texts import with_own
from converters.tasks.speech_seam import cut, seeded
from registry.spec.certificate import Data
from registry.spec.mel import distance
from registry.spec.session import Session
from registry.spec.speech import QUIET, TEXT, VOICE, WHOLE, Seam, Speaker, Voice

CONFIGS = ("model.onnx.json", "config.json")

_COUNTS = {Part.CALIBRATION: 24, Part.SELECTION: 12, Part.HELD_OUT: 40}  # a sentence takes a second to speak
_RANKED = 2  # sentences that layers are ranked with: 132 layers, each a second for a sentence
_INPUTS = {"input", "input_lengths", "scales", "sid"}
_SCALES = {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8}  # what Piper takes where nothing is said
_MOST_SYMBOLS = 1000
_LARGEST_ID = 100_000


class SpeechSubject:
    """The subject of one voice; `original` is its FP32 graphs, open, and `phonemes` are the sentences it speaks."""

    def __init__(
        self,
        graphs: Mapping[str, onnx.ModelProto],
        original: Speaker,
        voice: Voice,
        phonemes: Mapping[str, Texts],
    ) -> None:
        self._graphs = graphs
        self._original = original
        self._voice = voice
        self._phonemes = phonemes
        self._references: dict[Split, list[NDArray[np.float32]]] = {}

    @property
    def graphs(self) -> Mapping[str, onnx.ModelProto]:
        """The float graphs `text` and `voice`, or `model` where the voice could not be cut at its durations."""
        return self._graphs

    @property
    def seam(self) -> Seam | None:
        """How the two parts go together."""
        return self._original.seam

    @property
    def inputs(self) -> tuple[str, ...]:
        """What the voice as a whole takes."""
        return self._original.inputs

    @property
    def data(self) -> Mapping[str, Data]:
        """The sentences of each purpose."""
        return {name: found.data() for name, found in self._phonemes.items()}

    @cached_property
    def loads(self) -> tuple[Load, ...]:
        """One sentence of about a hundred ids, of the longest there are in the selection."""
        ids = [self._voice.ids(phonemes) for phonemes in self._phonemes[Part.SELECTION].texts]
        chosen = min(ids, key=lambda row: abs(len(row) - 100))
        return (Load(f"a sentence of {len(chosen)} phoneme ids", tuple(self._samples(chosen, QUIET))),)

    def calibration(self) -> Iterator[Sample]:
        """Sentences at the voice's own noise, which is what widens its activations, and without any, in turns."""
        for number, phonemes in enumerate(self._phonemes[Part.CALIBRATION].texts):
            yield from self._samples(self._voice.ids(phonemes), QUIET if number % 2 else self._voice.scales)

    def selection(self) -> Iterator[Sample]:
        """The shortest sentences of the selection data, without noise."""
        for phonemes in sorted(self._phonemes[Part.SELECTION].texts, key=len)[:_RANKED]:
            yield from self._samples(self._voice.ids(phonemes), QUIET)

    def judge(self, model: Model, split: Split) -> list[Figure]:
        """`mel_distance` and `length_change` by sentence, without noise."""
        if split not in self._references:
            self._references[split] = self._spoken(self._original.model, split)
        pairs = list(zip(self._references[split], self._spoken(model, split), strict=True))
        return [
            Figure("mel_distance", np.array([distance(*pair, self._voice.rate) for pair in pairs])),
            Figure("length_change", np.array([abs(len(other) / len(one) - 1) for one, other in pairs])),
        ]

    def _spoken(self, model: Model, split: Split) -> list[NDArray[np.float32]]:
        speaker = Speaker(model, self._original.inputs, self._original.seam)
        return [speaker.speak(self._voice.ids(phonemes), QUIET) for phonemes in self._phonemes[split].texts]

    def _samples(self, ids: NDArray[np.int64], scales: tuple[float, float, float]) -> Iterator[Sample]:
        """What each part takes; the second part has the original's durations."""
        feeds = self._original.feeds(ids, scales)
        if self._original.seam is None:
            yield Sample(WHOLE, feeds)
        else:
            yield Sample(TEXT, feeds)
            yield Sample(VOICE, self._original.carry(feeds))


def open_subject(
    graph: onnx.ModelProto, scratch: Path, seed: int, threads: int, voice: Voice, own: Uploaded[str] | None = None
) -> SpeechSubject:
    """The subject of the voice `graph`, calibrated and judged on built-in sentences or on the owner's, in phonemes.

    `scratch` is a directory for the FP32 graphs that everything is measured against. Raises SourceInvalid for a graph
    that is not shaped like Piper's, ConversionFailed where it does not run.
    """
    inputs = _inputs(graph)
    whole_voice = seeded(graph, seed)
    parted = cut(whole_voice)
    graphs: dict[str, onnx.ModelProto] = {WHOLE: whole_voice}
    seam = None
    if parted is not None:
        graphs, seam = {TEXT: parted[0], VOICE: parted[1]}, parted[2]
    phonemes = with_own(lambda: {part.value: _sentences(part) for part in Part}, own, _COUNTS)
    try:
        original = Speaker({name: _opened(part, scratch, name, threads) for name, part in graphs.items()}, inputs, seam)
        _check(original, voice, phonemes[Part.SELECTION].texts[0])
    except (EngineRefused, ValueError) as error:
        raise ConversionFailed(
            "ONNX Runtime cannot speak a sentence with the voice.",
            "Check that model.onnx and its JSON file are of the same Piper voice, and of an IPA voice.",
        ) from error
    return SpeechSubject(graphs, original, voice, phonemes)


def _sentences(part: Part) -> Texts:
    found = tuple(sentence.phonemes for sentence in sentences(part.value))
    return Texts(found[: _COUNTS[part]], "English sentences of 6 to 14 words, in espeak-ng's American pronunciation")


def read_voice(source: Path) -> Voice:
    """What the voice's JSON file in `source` says. Raises SourceInvalid where it is missing or not Piper's."""
    path = next((source / name for name in CONFIGS if (source / name).is_file()), source / CONFIGS[0])
    config = read_object(path)
    audio, inference, table = (config.get(key) for key in ("audio", "inference", "phoneme_id_map"))
    rate = whole(audio.get("sample_rate"), 8_000, 48_000) if isinstance(audio, dict) else None
    if rate is None or not isinstance(table, dict) or not 0 < len(table) <= _MOST_SYMBOLS:
        raise _not_a_voice(path.name)
    ids = {symbol: _ids(path.name, found) for symbol, found in table.items()}
    stated = inference if isinstance(inference, dict) else {}
    noise, length, wobble = (_scale(stated, key, usual) for key, usual in _SCALES.items())
    return Voice(rate, ids, (noise, length, wobble))


def _ids(name: str, found: object) -> tuple[int, ...]:
    if not isinstance(found, list) or not 1 <= len(found) <= 8:
        raise _not_a_voice(name)
    ids = [whole(value, 0, _LARGEST_ID) for value in found]
    if any(value is None for value in ids):
        raise _not_a_voice(name)
    return tuple(value for value in ids if value is not None)


def _scale(stated: Mapping[str, object], key: str, default: float) -> float:
    value = stated.get(key, default)
    return float(value) if isinstance(value, int | float) and 0 <= value <= 10 else default


def _inputs(graph: onnx.ModelProto) -> tuple[str, ...]:
    names = tuple(value.name for value in graph_inputs(graph))
    if not {"input", "input_lengths", "scales"} <= set(names) <= _INPUTS or len(graph.graph.output) != 1:
        raise SourceInvalid(
            "The graph is not shaped like a Piper voice: it does not take input, input_lengths and scales, and give "
            "one output.",
            "Upload the voice as piper_train's export_onnx writes it, as model.onnx.",
        )
    return names


def _opened(graph: onnx.ModelProto, scratch: Path, name: str, threads: int) -> Session:
    path = scratch / f"original-{name}.onnx"
    onnx.save(graph, path)
    return Refusing(open_float(path, threads))


def _check(original: Speaker, voice: Voice, phonemes: str) -> None:
    """Raise ValueError or EngineRefused unless the original says something."""
    audio = original.speak(voice.ids(phonemes), QUIET)
    if len(audio) < voice.rate // 4 or not np.isfinite(audio).all() or not np.abs(audio).max() > 1e-3:
        raise ValueError("the voice is silent")


def _not_a_voice(name: str) -> SourceInvalid:
    return SourceInvalid(
        f"{name} is not the JSON file of a Piper voice.",
        "Upload the file that lies beside the voice's .onnx, with audio.sample_rate and phoneme_id_map, as "
        "model.onnx.json.",
    )
