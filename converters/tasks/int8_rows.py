"""The weights of a CTranslate2 model in S8, one scale a row, as CTranslate2's own converter writes them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from converters.sources.ctranslate2_model import Variable, Weights
from converters.sources.finite import from_bfloat16

_FLOATS = ("float32", "float16", "bfloat16")
_CONVOLUTION = "/conv"
"""Whisper's two convolutions stay as they are: 1 % of the weights, a quarter of the encoder's error in S8, and
CTranslate2 itself leaves them out when it quantizes as it loads."""


def quantized(weights: Weights) -> Weights:
    """`weights` with every matrix of two dimensions in S8; what is smaller, and what is S8 already, stays.

    A matrix under a second name, such as the output projection that is the embeddings, keeps it, and so do its scales.
    """
    variables: dict[str, Variable] = {}
    for name, variable in weights.variables.items():
        if _is_matrix(name, variable):
            levels, scales = rows(wide(variable))
            variables[name] = Variable("int8", levels)
            variables[f"{name}_scale"] = Variable("float32", scales)
        else:
            variables[name] = variable
    scaled = {
        f"{alias}_scale": f"{name}_scale" for alias, name in weights.aliases.items() if f"{name}_scale" in variables
    }
    return replace(
        weights,
        variables=dict(sorted(variables.items())),
        aliases=dict(sorted(({**weights.aliases, **scaled}).items())),
    )


def rows(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Levels S8 [rows, columns] and the factor FP32 [rows] that a row was multiplied with: 127 ÷ its greatest value."""
    greatest = np.abs(matrix).max(axis=1)
    scales = (np.float32(127) / np.maximum(np.where(greatest == 0, np.float32(127), greatest), 1e-36)).astype(
        np.float32
    )
    levels = np.clip(np.rint(matrix * scales[:, None]), -127, 127).astype(np.int8)
    return levels, scales


def wide(variable: Variable) -> NDArray[np.float32]:
    """A variable of floating point in FP32, as CTranslate2 computes with it."""
    array = np.ascontiguousarray(variable.array)
    return from_bfloat16(array) if variable.dtype == "bfloat16" else array.astype(np.float32)


def float_bytes(weights: Weights) -> int:
    """The bytes of all variables with each weight in FP32, whatever it is stored in."""
    return sum(
        variable.array.size * (4 if variable.dtype in (*_FLOATS, "int8") and variable.array.ndim else 1)
        for variable in weights.variables.values()
    )


def _is_matrix(name: str, variable: Variable) -> bool:
    matrix = variable.array.ndim == 2 and variable.dtype in _FLOATS
    return matrix and name.endswith("weight") and _CONVOLUTION not in name
