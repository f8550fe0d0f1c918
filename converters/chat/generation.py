"""How fast a decoder reads and writes in onnxruntime-genai, in turns with the original."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from converters.steps.bootstrap import interval, median
from registry.spec.certificate import Latency

if TYPE_CHECKING:
    from onnxruntime_genai import Generator, Model

_PROMPT = 64
_WRITTEN = 32
_PAIRS = 9
_THREADS = 1


class _Times(NamedTuple):
    """Milliseconds: of the prompt with the first token, and of each token after it."""

    read: float
    write: float


@dataclass(frozen=True)
class _Load:
    label: str
    pairs: NDArray[np.float64]


def open_model(directory: Path, threads: int) -> Model:
    """The decoder in `directory` as it serves."""
    import onnxruntime_genai as og

    og.disable_telemetry_events()  # it reports to its maker by default; nothing here does
    config = og.Config(str(directory))
    options = {
        "intra_op_num_threads": threads,
        "inter_op_num_threads": 1,
        "log_severity_level": 3,
        # Spinning threads of one model starve every other process on a machine with few cores.
        "session.intra_op.allow_spinning": "0",
    }
    config.overlay(json.dumps({"model": {"decoder": {"session_options": options}}}))
    return og.Model(config)


def measure(floating: Path, quantized: Path, seed: int, *, pairs: int = _PAIRS) -> list[Latency]:
    """Milliseconds for each token that is written, and for a prompt that is read, one request on one thread."""
    slow, fast = open_model(floating, _THREADS), open_model(quantized, _THREADS)
    for model in (slow, fast):  # the first runs allocate
        _times(model)
    found = [_pair(slow, fast, turn % 2 == 1) for turn in range(pairs)]
    loads = (
        _Load(f"1 token written, of {_WRITTEN} after {_PROMPT}", np.array([(a.write, b.write) for a, b in found])),
        _Load(f"1 × {_PROMPT} tokens read", np.array([(a.read, b.read) for a, b in found])),
    )
    return [_latency(load, seed) for load in loads]


def write(model: Model, prompt: Sequence[int], count: int) -> list[int]:
    """The likeliest `count` tokens after `prompt`, one after the other."""
    generator = _generator(model, prompt, count)
    for _ in range(count):
        generator.generate_next_token()
    return [int(token) for token in generator.get_sequence(0)[len(prompt) :]]


def _generator(model: Model, prompt: Sequence[int], count: int) -> Generator:
    import onnxruntime_genai as og

    length = len(prompt) + count
    parameters = og.GeneratorParams(model)
    parameters.set_search_options(max_length=length, min_length=length, do_sample=False)
    generator = og.Generator(model, parameters)
    generator.append_tokens(list(prompt))  # it reads them here
    return generator


def _pair(slow: Model, fast: Model, reverse: bool) -> tuple[_Times, _Times]:
    """The times of both; who goes first alternates."""
    if reverse:
        quantized, floating = _times(fast), _times(slow)
    else:
        floating, quantized = _times(slow), _times(fast)
    return floating, quantized


def _times(model: Model) -> _Times:
    # Which tokens they are does not matter for the time; small ids exist in every vocabulary.
    prompt = [1 + token % 64 for token in range(_PROMPT)]
    started = time.perf_counter()
    generator = _generator(model, prompt, 1 + _WRITTEN)
    generator.generate_next_token()
    read = time.perf_counter()
    for _ in range(_WRITTEN):
        generator.generate_next_token()
    return _Times(1000 * (read - started), 1000 * (time.perf_counter() - read) / _WRITTEN)


def _latency(load: _Load, seed: int) -> Latency:
    ratios = load.pairs[:, 1] / load.pairs[:, 0]
    low, high = interval(ratios, median, seed)
    return Latency(
        load=load.label,
        threads=_THREADS,
        float_ms=float(np.median(load.pairs[:, 0])),
        quantized_ms=float(np.median(load.pairs[:, 1])),
        ratio=float(np.median(ratios)),
        ratio_low=low,
        ratio_high=high,
    )
