"""Weights rounded so that the error of one is made up for by those not yet rounded (GPTQ, arXiv 2210.17323).

Rounding to nearest minimises the error of each weight. What matters is the error of the product, and the inputs of a
layer are correlated: rounding row by row, and moving each row's error onto the rows that go with it, leaves a half to a
fifth of the squared error of the product at 8 bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from converters.steps import blocked
from converters.steps.canonical import S8_MAX, Weights
from converters.steps.kernels import Kernel

_DAMPING = 0.01  # of the mean diagonal, as in the paper: it keeps a singular Hessian invertible
_LEAST_DAMPING = 1e-8  # where no input has shown anything at all
_BLOCK = 128  # rows whose error is moved onto the rest at once


def compensated(matrix: NDArray[np.float32], inputs: NDArray[np.float32], blocks: int = 1) -> Weights:
    """Levels and scales for `matrix` [K, N] that reads rows like `inputs` [R, K], as they are after quantization.

    With more than one of `blocks` in a channel the scales are [N, blocks]: for products that compute in float.
    """
    scales = blocked.scales(matrix, blocks)
    hessian = (inputs.T @ inputs).astype(np.float64)  # in FP32: FP64 takes twice as long, and damping covers the rest
    unseen = np.diag(hessian) == 0  # the paper drops such rows; but what no sample has shown, a caller may send
    hessian[unseen, unseen] = 1.0
    order = np.argsort(-np.diag(hessian), kind="stable")  # what matters most is rounded first, and made up for by most
    inverse = inverse_root(hessian[np.ix_(order, order)])
    of_row = np.repeat(scales.T, len(matrix) // blocks, axis=0)
    rounded = _round_rows(matrix.astype(np.float32)[order], of_row[order], inverse)
    levels = np.empty_like(rounded)
    levels[order] = rounded
    return Weights(levels.astype(np.int8), scales[:, 0] if blocks == 1 else scales)


def compensated_kernel(kernel: Kernel, rows: NDArray[np.float32], blocks: int = 1) -> Weights:
    """The same for a MatMul or a Conv that reads `rows` [R, inputs × kernel]; each group is a product of its own."""
    matrices = kernel.matrices()
    width = len(matrices[0])
    found = [
        compensated(matrix, rows[:, group * width : (group + 1) * width], blocks)
        for group, matrix in enumerate(matrices)
    ]
    if kernel.operator == "MatMul":
        return found[0]
    levels = np.concatenate([weights.levels.T for weights in found]).reshape(kernel.values.shape)
    return Weights(levels, np.concatenate([weights.scales for weights in found]))


def inverse_root(hessian: NDArray[np.float64]) -> NDArray[np.float32]:
    """The upper Cholesky factor [K, K] of the inverse of the damped `hessian` [K, K], the sum of x xᵀ over inputs x."""
    damping = max(_DAMPING * float(np.diag(hessian).mean()), _LEAST_DAMPING)
    inverse = np.linalg.inv(hessian + damping * np.eye(len(hessian)))
    upper: NDArray[np.float32] = np.linalg.cholesky((inverse + inverse.T) / 2).T.astype(np.float32)
    return upper


def _round_rows(
    matrix: NDArray[np.float32], scales: NDArray[np.float32], inverse: NDArray[np.float32]
) -> NDArray[np.float32]:
    levels = np.empty_like(matrix)
    for start in range(0, len(matrix), _BLOCK):
        end = min(start + _BLOCK, len(matrix))
        block, corner = matrix[start:end], inverse[start:end, start:end]
        errors = np.empty_like(block)
        for row in range(end - start):
            step = scales[start + row]
            levels[start + row] = np.clip(np.rint(block[row] / step), -S8_MAX, S8_MAX)
            errors[row] = (block[row] - levels[start + row] * step) / corner[row, row]
            block[row + 1 :] -= np.outer(corner[row, row + 1 :], errors[row])
        matrix[end:] -= inverse[start:end, end:].T @ errors
    return levels
