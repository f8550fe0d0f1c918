"""OCR inside Triton: image files in, the lines of text in them out."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np

from registry.spec.image import Image
from registry.spec.reader import Reader, tensors
from registry.spec.runtime import OcrRuntime
from registry.spec.task import USAGE_OUTPUT
from triton_repo.runtime.adapter import Tensors
from triton_repo.runtime.contents import pictures


class OcrAdapter:
    """`image` BYTES [rows, 1] to `text`, `lines`, `scores`, `corners`, and `conch_usage` INT64 [rows, 1]."""

    def __init__(self, directory: Path, settings: OcrRuntime, threads: int) -> None:
        self._reader = Reader.open(directory, settings.reader, threads, exact_x86=settings.exact_x86)
        self._reader.read(np.zeros((32, 32, 3), dtype=np.uint8))  # a graph that cannot run fails its load

    def accept(self, inputs: Tensors) -> list[Image]:
        """The request's pictures. Raises InvalidRows for what is none."""
        return pictures(inputs["image"], lambda image: image)

    def run(self, accepted: list[list[Image]]) -> Tensors:
        """Read the pictures of all requests, one at a time: their lines are of no size that others have, too."""
        pages = [self._reader.read(image) for image in chain.from_iterable(accepted)]
        return {**tensors(pages), USAGE_OUTPUT: np.ones((len(pages), 1), dtype=np.int64)}
