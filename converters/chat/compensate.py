"""Rounding that makes up for itself: GPTQ (Frantar et al., 2022, arXiv 2210.17323), for weights in few bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from converters.chat.blocks import Blocks, Scheme, block_scales, pack
from converters.steps.rounding import inverse_root


def quantize(weight: NDArray[np.float32], moments: NDArray[np.float32], scheme: Scheme) -> Blocks:
    """Quantize `weight` [outputs, inputs] so that its product with the inputs changes least.

    `moments` [inputs, inputs] is the sum of x xᵀ over the calibration's inputs x. Each column is rounded in turn, and
    the columns after it take over its error, as far as they are correlated with it. The inputs must fill whole blocks.
    """
    outputs, inputs = weight.shape
    left = weight.astype(np.float32, copy=True)
    inverse = inverse_root(moments.astype(np.float64))
    codes = np.empty((outputs, inputs), dtype=np.uint8)
    scales = np.empty((outputs, inputs // scheme.block), dtype=np.float32)
    zeros = np.empty_like(scales, dtype=np.uint8)
    for block in range(inputs // scheme.block):
        columns = slice(block * scheme.block, (block + 1) * scheme.block)
        part = left[:, columns]
        scale, zero = (values[:, 0] for values in block_scales(part[:, None, :], scheme))
        root = inverse[columns, columns]
        errors = np.empty_like(part)
        for column in range(scheme.block):
            rounded = np.clip(np.rint(part[:, column] / scale) + zero, 0, 2**scheme.bits - 1)
            codes[:, columns.start + column] = rounded
            error = (part[:, column] - (rounded - zero) * scale) / root[column, column]
            part[:, column + 1 :] -= np.outer(error, root[column, column + 1 :])
            errors[:, column] = error
        left[:, columns.stop :] -= errors @ inverse[columns, columns.stop :]
        scales[:, block], zeros[:, block] = scale, zero
    return pack(codes.reshape(outputs, -1, scheme.block), scales, zeros, scheme)
