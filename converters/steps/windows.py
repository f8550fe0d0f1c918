"""What a convolution reads for one place of its output: rows of its input, as a product with its weights sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper


@dataclass(frozen=True)
class Window:
    """The shape of a convolution: sizes along each spatial axis, padding at both ends, and groups of channels."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    groups: int

    @classmethod
    def of(cls, node: onnx.NodeProto, kernel: tuple[int, ...]) -> Window:
        """The window of a Conv. Padding that follows from the size (auto_pad) is left out: it changes edges only."""
        given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        ones, count = (1,) * len(kernel), len(kernel)
        pads = tuple(given.get("pads", (0,) * 2 * count))
        return cls(
            kernel,
            tuple(given.get("strides", ones)),
            tuple(given.get("dilations", ones)),
            tuple(zip(pads[:count], pads[count:], strict=True)),
            int(given.get("group", 1)),
        )

    def rows(self, value: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """At most `count` windows of `value` [batch, channels, …] at random places, [count, channels × kernel]."""
        padded = np.pad(value, ((0, 0), (0, 0), *self.pads))
        places = [
            (size - dilation * (length - 1) - 1) // stride + 1
            for size, length, stride, dilation in zip(
                padded.shape[2:], self.kernel, self.strides, self.dilations, strict=True
            )
        ]
        total = len(padded) * int(np.prod(places)) if min(places, default=1) > 0 else 0
        if total == 0:
            return np.empty((0, value.shape[1] * int(np.prod(self.kernel))), dtype=np.float32)
        drawn = np.sort(rng.choice(total, min(count, total), replace=False))
        batch, *starts = np.unravel_index(drawn, (len(padded), *places))
        return self._cut(padded, batch, starts)

    def _cut(
        self, padded: NDArray[np.float32], batch: NDArray[np.intp], starts: list[NDArray[np.intp]]
    ) -> NDArray[np.float32]:
        axes = len(self.kernel)
        indices = []
        for axis, start in enumerate(starts):
            offsets = self.dilations[axis] * np.arange(self.kernel[axis])
            shape = (len(batch), *(len(offsets) if other == axis else 1 for other in range(axes)))
            indices.append((start[:, None] * self.strides[axis] + offsets).reshape(shape))
        first = batch.reshape(len(batch), *(1,) * axes)
        cut = np.moveaxis(padded, 1, -1)[(first, *indices)]  # [rows, …kernel, channels]
        return np.ascontiguousarray(np.moveaxis(cut, -1, 1).reshape(len(batch), -1), dtype=np.float32)
