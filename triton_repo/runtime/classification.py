"""Classification inside Triton: contents or tensors in, how likely each label is out."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from registry.spec.classification import CONTENT, Classifier
from registry.spec.runtime import ClassificationRuntime
from registry.spec.session import Feeds
from registry.spec.task import USAGE_OUTPUT
from triton_repo.runtime.adapter import Tensors
from triton_repo.runtime.contents import contents
from triton_repo.runtime.tensor import decoded, engine_refusals, joined

_ROWS = 32  # of one run, as many as it was certified with: a convolution over 2,048 bytes takes 2 MB a row


class ClassificationAdapter:
    """`content` BYTES [rows, 1], or the graph's own inputs, to `probabilities` and `labels`, and `conch_usage`."""

    def __init__(self, directory: Path, settings: ClassificationRuntime, threads: int) -> None:
        self._classifier = Classifier.open(directory, settings.classifier, threads, exact_x86=settings.exact_x86)
        self._reads_bytes = settings.classifier.windows is not None
        if self._reads_bytes:
            self._classifier.classify(self._classifier.features([b"warm-up"]))

    def accept(self, inputs: Tensors) -> Any:
        """The request's contents, or its inputs as the engine takes them."""
        return contents(inputs[CONTENT.name]) if self._reads_bytes else decoded(inputs)

    def run(self, accepted: list[Any]) -> Tensors:
        """Classify the rows of all requests. Raises InvalidRows for tensors that the engine refuses."""
        feeds = self._feeds(accepted)
        rows = len(next(iter(feeds.values())))
        with engine_refusals():
            parts = [
                self._classifier.classify({name: value[start : start + _ROWS] for name, value in feeds.items()})
                for start in range(0, rows, _ROWS)
            ]
        outputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return {**outputs, USAGE_OUTPUT: np.ones((rows, 1), dtype=np.int64)}

    def _feeds(self, accepted: list[Any]) -> Feeds:
        if self._reads_bytes:
            return self._classifier.features(list(chain.from_iterable(accepted)))
        return joined(accepted)
