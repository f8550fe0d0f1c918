"""Weights in blocks of a row with a scale each, as ONNX Runtime's MatMulNBits and GatherBlockQuantized store them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ROWS = 1024  # rows are quantized so many at a time: with the scales tried it bounds memory to tens of megabytes
_SCALES_TRIED = np.linspace(1.0, 0.7, 16, dtype=np.float32)  # below 0.7 of the range no block was better off


@dataclass(frozen=True)
class Scheme:
    """How a weight is stored: `bits` 4 or 8 for an element, and a scale for every `block` elements along its inputs.

    A symmetric block has its zero in the middle of the codes, others a zero point of their own. `search` tries smaller
    scales for each block and keeps the one of least squared error: worth it with few bits, where clipping the largest
    element makes all others finer.
    """

    bits: int
    block: int = 32
    symmetric: bool = True
    search: bool = False


@dataclass(frozen=True)
class Blocks:
    """A weight [outputs, inputs]: element = (code - zero point) × scale.

    `codes` UINT8 [outputs, blocks, block × bits ÷ 8], of two codes in a byte the first in the lower half; `scales` FP32
    [outputs, blocks]; `zero_points` UINT8 [outputs, blocks × bits ÷ 8 rounded up], None in the middle of the codes.
    """

    codes: NDArray[np.uint8]
    scales: NDArray[np.float32]
    zero_points: NDArray[np.uint8] | None


def quantize(weight: NDArray[np.float32], scheme: Scheme) -> Blocks:
    """Quantize `weight` [outputs, inputs]. Inputs that fill no whole block are padded with zeros."""
    outputs, inputs = weight.shape
    blocks = -(-inputs // scheme.block)
    parts = []
    for start in range(0, outputs, _ROWS):
        rows = np.pad(weight[start : start + _ROWS], ((0, 0), (0, blocks * scheme.block - inputs)))
        parts.append(_codes(rows.reshape(len(rows), blocks, scheme.block), scheme))
    codes, scales, zeros = (np.concatenate(values) for values in zip(*parts, strict=True))
    return pack(codes, scales, zeros, scheme)


def pack(codes: NDArray[np.uint8], scales: NDArray[np.float32], zeros: NDArray[np.uint8], scheme: Scheme) -> Blocks:
    """Blocks of codes [outputs, blocks, block] with their scales and zero points [outputs, blocks]."""
    packed = None if scheme.symmetric else _packed(zeros, scheme.bits)
    return Blocks(_packed(codes, scheme.bits), scales, packed)


def block_scales(values: NDArray[np.float32], scheme: Scheme) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The scales and zero points FP32 [rows, blocks] that suit blocks [rows, blocks, block]."""
    _, scales, zeros = _codes(values, scheme)
    return scales, zeros.astype(np.float32)


_Coded = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]


def _codes(values: NDArray[np.float32], scheme: Scheme) -> _Coded:
    """Codes, scales and zero points of blocks [rows, blocks, block]."""
    full = _full_scales(values, scheme)
    if not scheme.search:
        return _coded(values, full, scheme)
    best = _coded(values, full, scheme)
    least = _squared_error(values, best)
    for factor in _SCALES_TRIED[1:]:
        tried = _coded(values, full * factor, scheme)
        error = _squared_error(values, tried)
        better = error < least
        least = np.where(better, error, least)
        best = (
            np.where(better[:, :, None], tried[0], best[0]),
            np.where(better, tried[1], best[1]),
            np.where(better, tried[2], best[2]),
        )
    return best


def _full_scales(values: NDArray[np.float32], scheme: Scheme) -> NDArray[np.float32]:
    """The scales [rows, blocks] that clip nothing.

    A symmetric 4-bit scale is signed, so that the block's largest element has the code 0, the only one eight steps from
    the middle.
    """
    if not scheme.symmetric:
        low, high = np.minimum(values.min(axis=2), 0), np.maximum(values.max(axis=2), 0)
        scales = (high - low) / np.float32(2**scheme.bits - 1)
    elif scheme.bits == 4:
        index = np.abs(values).argmax(axis=2)[:, :, None]
        scales = np.take_along_axis(values, index, axis=2)[:, :, 0] / np.float32(-8)
    else:
        scales = np.abs(values).max(axis=2) / np.float32(127)
    return np.where(scales == 0, np.float32(1), scales).astype(np.float32)


def _coded(values: NDArray[np.float32], scales: NDArray[np.float32], scheme: Scheme) -> _Coded:
    top = 2**scheme.bits - 1
    if scheme.symmetric:
        zeros = np.full(scales.shape, 2 ** (scheme.bits - 1), dtype=np.uint8)
    else:
        zeros = np.clip(np.rint(-np.minimum(values.min(axis=2), 0) / scales), 0, top).astype(np.uint8)
    codes = np.clip(np.rint(values / scales[:, :, None]) + zeros[:, :, None], 0, top).astype(np.uint8)
    return codes, scales, zeros


def _squared_error(values: NDArray[np.float32], coded: _Coded) -> NDArray[np.float32]:
    codes, scales, zeros = coded
    restored = (codes.astype(np.float32) - zeros[:, :, None].astype(np.float32)) * scales[:, :, None]
    error: NDArray[np.float32] = np.square(restored - values).sum(axis=2)
    return error


def _packed(codes: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Two 4-bit codes in a byte along the last axis, which is padded where it is odd."""
    if bits == 8:
        return codes
    if codes.shape[-1] % 2:
        codes = np.concatenate([codes, np.zeros((*codes.shape[:-1], 1), dtype=np.uint8)], axis=-1)
    packed: NDArray[np.uint8] = codes[..., 0::2] | np.left_shift(codes[..., 1::2], np.uint8(4))
    return packed
