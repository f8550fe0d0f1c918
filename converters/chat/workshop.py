"""The forms of one decoder on disk: in FP32, and with its weights in few bits."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from converters.chat.moments import Moments
from converters.chat.observe import observe
from converters.chat.recipes import HEAD, Recipe, recipes
from converters.chat.weights import GRAPH, WEIGHTS, products, quantize_weights


@dataclass(frozen=True)
class Workshop:
    """Makes a form of the decoder when it is first asked for: what is known of one already needs none of its files.

    `floating` is the directory of the FP32 one, `scratch` that of all others, `calibration` the tokens INT64 [length]
    of texts that compensation observes it on.
    """

    floating: Path
    scratch: Path
    calibration: Sequence[NDArray[np.int64]]
    threads: int

    def recipes(self) -> list[Recipe]:
        """What can be tried."""
        return recipes(list(products(onnx.load(self.floating / GRAPH, load_external_data=False).graph)))

    def make(self, recipe: Recipe) -> Path:
        """The directory with the decoder whose weights are stored as `recipe` says."""
        directory = self.scratch / recipe.name.replace(" ", "-").lower()
        if not directory.is_dir():
            directory.mkdir()
            for path in self.floating.iterdir():
                if path.name not in {GRAPH, WEIGHTS}:
                    shutil.copyfile(path, directory / path.name)
            quantize_weights(self.floating, directory, recipe.plan, self._moments if recipe.compensated else None)
        return directory

    @cached_property
    def _moments(self) -> Moments:
        target = self.scratch / "moments"
        target.mkdir()
        return observe(self.floating, self.calibration, {HEAD}, target, self.threads)


def size(directory: Path) -> int:
    """Bytes of the graph with its weights."""
    return sum((directory / name).stat().st_size for name in (GRAPH, WEIGHTS))
