"""SmoothQuant (Xiao et al., arXiv 2211.10438): difficulty moved from activations to weights, channel by channel.

X W = (X · m) (W / m): a channel of X with outliers is made small and its weights large. In BERT, which is post-norm,
the LayerNorm that feeds a product feeds the residual as well, and between convolutions stands an activation that does
not scale; `m` therefore becomes a Mul of its own before the product. It holds for convolutions alike, and is free for
depthwise ones, whose weights have a scale for each channel anyway.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LEAST = np.float32(1e-5)


def multiplier(activations: NDArray[np.float32], weights: NDArray[np.float32], alpha: float) -> NDArray[np.float32]:
    """What to multiply each channel of the activations by, FP32 [K].

    `activations` [K] are the channels' greatest magnitudes, `weights` [K, N] are those that meet each channel.
    """
    rows = np.maximum(np.abs(weights).max(axis=1), _LEAST)
    channels = np.maximum(activations, _LEAST)
    result: NDArray[np.float32] = (rows ** (1 - alpha) / channels**alpha).astype(np.float32)
    return np.clip(result, _LEAST, 1 / _LEAST)
