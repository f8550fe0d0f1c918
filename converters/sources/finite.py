"""Weights that are no numbers: NaN anywhere, and infinities outside masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.errors import SourceInvalid

_AT_ONCE = 2**22  # elements: 4 million take 16 MB beside the weights


def what_is_wrong(values: NDArray[Any]) -> str | None:
    """`NaN` or `infinite` where `values`, floats of any shape, cannot be weights; None where they can.

    A mask may hold infinities: all its finite values are one number. So may a single value, a bound to clip at.
    """
    flat = values.reshape(-1)
    infinite, low, high = False, np.inf, -np.inf
    for begin in range(0, flat.size, _AT_ONCE):
        part = flat[begin : begin + _AT_ONCE]
        finite = np.isfinite(part)
        if not finite.all():
            if np.isnan(part).any():
                return "NaN"
            infinite, part = True, part[finite]
        if part.size:
            low, high = min(low, float(part.min())), max(high, float(part.max()))
    return "infinite" if infinite and low < high else None


def from_bfloat16(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """The values of bfloat16, FP32, from their bits."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def not_finite(name: str, wrong: str, position: int, shape: Sequence[int]) -> SourceInvalid:
    """The error for the tensor at `position` of the file `name`, which what_is_wrong() found to be `wrong`."""
    return SourceInvalid(
        f"Weights in {name} are {wrong}: tensor {position}, of shape {list(shape)}.",
        "The training has diverged or the file was damaged: upload a checkpoint whose weights are all finite.",
    )
