"""Detection inside Triton: image files in, boxes out, the pictures of all requests of the batch together."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np

from registry.spec.boxes import Boxes
from registry.spec.detection import Detector, Prepared, prepare, tensors
from registry.spec.runtime import DetectionRuntime
from registry.spec.task import USAGE_OUTPUT
from triton_repo.runtime.adapter import Tensors
from triton_repo.runtime.contents import pictures

_PICTURES = 4  # of one run: as many as the certificate's latency is about, and the memory of larger ones is not known


class DetectionAdapter:
    """`image` BYTES [rows, 1] to `boxes`, `scores` and `labels`, and `conch_usage` INT64 [rows, 1]: a picture a row."""

    def __init__(self, directory: Path, settings: DetectionRuntime, threads: int) -> None:
        self._settings = settings.detector
        self._detector = Detector.open(directory, settings.detector, threads, exact_x86=settings.exact_x86)
        self._detector.detect([np.zeros((1, 1, 3), dtype=np.uint8)])  # the first run is slow; a tenant's shall not be

    def accept(self, inputs: Tensors) -> list[Prepared]:
        """The request's pictures as the graph takes them. Raises InvalidRows for what is no picture."""
        return pictures(inputs["image"], lambda image: prepare(image, self._settings.side))

    def run(self, accepted: list[list[Prepared]]) -> Tensors:
        """Look at the pictures of all requests."""
        rows = list(chain.from_iterable(accepted))
        found: list[Boxes] = []
        for start in range(0, len(rows), _PICTURES):
            found.extend(self._detector.run(rows[start : start + _PICTURES]))
        return {**tensors(found, self._settings.labels), USAGE_OUTPUT: np.ones((len(rows), 1), dtype=np.int64)}
