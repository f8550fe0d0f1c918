"""How fast a decoder reads and writes in onnxruntime-genai, in turns with the original."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from converters.steps import latency
from registry.spec.certificate import Latency

if TYPE_CHECKING:
    from onnxruntime_genai import Generator, Model

PAIRS = 9
"""Turns of float and quantized that a certificate's times are medians of."""

_PROMPT = 64
_WRITTEN = 32
_THREADS = 1


class _Times(NamedTuple):
    """Milliseconds: of the prompt with the first token, and of each token after it."""

    read: float
    write: float


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


def measure(floating: Path, quantized: Path, seed: int, *, pairs: int = PAIRS) -> list[Latency]:
    """Milliseconds for each token that is written, and for a prompt that is read, one request on one thread."""
    slow, fast = open_model(floating, _THREADS), open_model(quantized, _THREADS)
    for model in (slow, fast):  # the first runs allocate
        _times(model)
    found = [_pair(slow, fast, turn % 2 == 1) for turn in range(pairs)]
    written, read = np.array([(a.write, b.write) for a, b in found]), np.array([(a.read, b.read) for a, b in found])
    return [
        latency.of_pairs(written, f"1 token written, of {_WRITTEN} after {_PROMPT}", seed),
        latency.of_pairs(read, f"1 × {_PROMPT} tokens read", seed),
    ]


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
