"""How the inputs of a decoder's products vary together, which is what rounding with compensation needs to know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class Moments:
    """The sum of x xᵀ over all inputs x of a product, FP32 [inputs, inputs]: files in a directory, one in memory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, Path] = {}

    def keep(self, tensor: str, value: NDArray[np.float32]) -> None:
        """Write the moments of a tensor."""
        self._files[tensor] = self._directory / f"{len(self._files)}.npy"
        np.save(self._files[tensor], value)

    def of(self, tensor: str) -> NDArray[np.float32] | None:
        """The moments of the inputs with the name `tensor`; None where there are none."""
        if tensor not in self._files:
            return None
        value: NDArray[np.float32] = np.load(self._files[tensor])
        return value
