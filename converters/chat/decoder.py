"""A decoder that reads whole texts: what it expects at every token, and what its products are fed with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.chat.weights import GRAPH
from converters.sources.files import read_object
from registry.spec.chat import Reading, read
from registry.spec.session import open_session

MOST_TOKENS = 256
"""Tokens of a text that are read: their logits over 49,152 words take 50 MB."""

_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class Decoder:
    """The graph in a directory of onnxruntime-genai's, run by ONNX Runtime itself over a text from its beginning."""

    def __init__(self, directory: Path, threads: int, graph: str = GRAPH) -> None:
        shape = read_object(directory / "genai_config.json")["model"]["decoder"]
        nothing_yet = (1, shape["num_key_value_heads"], 0, shape["head_size"])
        self._session = open_session(directory / graph, threads, exact_x86=False)
        inputs = self._session.get_inputs()
        self._names = {value.name for value in inputs}
        self._past = {
            value.name: np.zeros(nothing_yet, _DTYPES[value.type])
            for value in inputs
            if value.name.startswith("past_key_values")
        }

    def read(self, texts: Sequence[NDArray[np.int64]]) -> list[Reading]:
        """What the decoder makes of each of `texts`, tokens INT64 [length]."""
        return [read(self.run(tokens, ["logits"])[0][0], tokens) for tokens in texts]

    def run(self, tokens: NDArray[np.int64], outputs: Sequence[str]) -> list[NDArray[Any]]:
        """The values of `outputs` for one text."""
        row = tokens[None, :]
        known = {
            "input_ids": row,
            "attention_mask": np.ones_like(row),
            "position_ids": np.arange(row.shape[1], dtype=np.int64)[None, :],
        }
        feeds = {name: value for name, value in known.items() if name in self._names}
        values: list[NDArray[Any]] = self._session.run(list(outputs), {**feeds, **self._past})
        return values
