"""Weights of products and convolutions as matrices that rows of their inputs meet, whatever their layout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Kernel:
    """The weights of one operator: MatMul [K, N], Conv [outputs, inputs ÷ groups, …], ConvTranspose [inputs, …]."""

    operator: str
    values: NDArray[np.float32]
    groups: int = 1

    def by_input(self) -> NDArray[np.float32]:
        """All weights that meet each channel of the input, [channels, …]."""
        if self.operator != "Conv":
            return self.values.reshape(len(self.values), -1)
        outputs, inputs = self.values.shape[:2]
        grouped = self.values.reshape(self.groups, outputs // self.groups, inputs, -1)
        return grouped.transpose(0, 2, 1, 3).reshape(self.groups * inputs, -1)

    def divided(self, factor: NDArray[np.float32]) -> Kernel:
        """The weights for an input whose channels were multiplied by `factor` [channels]."""
        if self.operator != "Conv":
            spread = factor.reshape(-1, *(1,) * (self.values.ndim - 1))
        else:
            of_group = factor.reshape(self.groups, -1)  # [groups, inputs of one]
            of_output = np.repeat(of_group, len(self.values) // self.groups, axis=0)
            spread = of_output.reshape(*of_output.shape, *(1,) * (self.values.ndim - 2))
        return Kernel(self.operator, (self.values / spread).astype(np.float32), self.groups)

    def matrices(self) -> list[NDArray[np.float32]]:
        """A matrix [inputs × kernel, outputs] for each group of a Conv, the only one of a MatMul."""
        if self.operator == "MatMul":
            return [self.values]
        outputs = len(self.values) // self.groups
        return [
            self.values[group * outputs : (group + 1) * outputs].reshape(outputs, -1).T for group in range(self.groups)
        ]

    def answer(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """What rows [R, inputs × kernel] give, [R, outputs]."""
        matrices = self.matrices()
        width = len(matrices[0])
        return np.concatenate([rows[:, i * width : (i + 1) * width] @ matrix for i, matrix in enumerate(matrices)], 1)
