"""Weights that run in float, stored as S8 with a scale for each block of an output channel's inputs.

A scale per channel is what integer products need. Weights that the engine widens before it computes are free to have
more of them: with one for 64 inputs the squared error is about half (blocked quantization, as ONNX calls it).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from converters.steps.canonical import Weights, levels_and_scales

_MOST, _LEAST = 64, 32  # inputs of a block: shorter ones would cost more than an eighth of the bytes in scales


def blocks(inputs: int) -> int:
    """Into how many blocks of the same length a channel's inputs are divided; 1 where no length divides them."""
    return next((inputs // length for length in range(_MOST, _LEAST - 1, -1) if inputs % length == 0), 1)


def scales(matrix: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Scales [outputs, count] for `matrix` [K, outputs]."""
    _, outputs = matrix.shape
    rows = matrix.T.reshape(outputs * count, -1)
    return levels_and_scales(rows, 0)[1].reshape(outputs, count)


def nearest(values: NDArray[np.float32], axis: int) -> Weights:
    """`values` rounded to nearest; `axis` is that of the output channels."""
    rows = _rows(values, axis)
    count = 1 if rows is None else blocks(rows.shape[1])
    if rows is None or count == 1:
        return Weights(*levels_and_scales(values, axis))
    levels, found = levels_and_scales(rows.reshape(len(rows) * count, -1), 0)
    levels = levels.reshape(rows.shape)
    return Weights(levels.reshape(values.shape) if axis == 0 else levels.T, found.reshape(len(rows), count))


def laid_out(weights: Weights, axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Levels and scales that broadcast with each other: their product, in the shape of the weights, is the weights."""
    levels, found = weights.levels, weights.scales
    if found.ndim == 1:
        return levels, np.expand_dims(found, tuple(i for i in range(levels.ndim) if i != axis))
    outputs, count = found.shape
    if axis == 0:
        return levels.reshape(outputs, count, -1), found[:, :, np.newaxis]
    return levels.reshape(count, -1, outputs), found.T[:, np.newaxis, :]


def widened(weights: Weights, axis: int) -> NDArray[np.float32]:
    """The float weights that the levels stand for."""
    levels, found = laid_out(weights, axis)
    return (levels.astype(np.float32) * found).reshape(weights.levels.shape)


def _rows(values: NDArray[np.float32], axis: int) -> NDArray[np.float32] | None:
    """[outputs, inputs × kernel], of a matrix product or a convolution."""
    if axis == 0:
        return values.reshape(len(values), -1)
    return values.T if values.ndim == 2 else None
