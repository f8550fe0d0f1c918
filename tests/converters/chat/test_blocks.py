from __future__ import annotations

import numpy as np
import pytest

from converters.chat import compensate
from converters.chat.blocks import Blocks, Scheme, quantize

_SCHEMES = [Scheme(8), Scheme(8, symmetric=False), Scheme(4), Scheme(4, symmetric=False), Scheme(4, 16, False, True)]


def weight(outputs: int = 24, inputs: int = 96, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((outputs, inputs)).astype(np.float32)


def dequantize(blocks: Blocks, scheme: Scheme, inputs: int) -> np.ndarray:
    """The weight FP32 [outputs, inputs] that the operators make of `blocks`, by their definition."""
    zeros: np.ndarray | float = 2.0 ** (scheme.bits - 1)
    if blocks.zero_points is not None:
        zeros = unpacked(blocks.zero_points, scheme.bits)[:, : blocks.scales.shape[1], None].astype(np.float32)
    codes = unpacked(blocks.codes, scheme.bits).astype(np.float32)
    values = ((codes - zeros) * blocks.scales[:, :, None]).astype(np.float32)
    return values.reshape(len(values), -1)[:, :inputs]


def unpacked(packed: np.ndarray, bits: int) -> np.ndarray:
    if bits == 8:
        return packed
    halves = np.stack([packed & 0xF, packed >> 4], axis=-1)
    return halves.reshape(*packed.shape[:-1], -1)


@pytest.mark.parametrize("scheme", _SCHEMES)
def test_no_element_is_further_off_than_its_block_allows(scheme: Scheme) -> None:
    values = weight()
    blocks = quantize(values, scheme)
    error = np.abs(dequantize(blocks, scheme, 96) - values).reshape(24, -1, scheme.block)
    # Half a step; a whole one where clipping or the zero point's own rounding takes part.
    steps = 1.01 if scheme.bits == 4 or not scheme.symmetric else 0.501
    allowed = np.abs(blocks.scales)[:, :, None] * (steps if not scheme.search else 5)
    assert (error <= allowed).all()


@pytest.mark.parametrize("scheme", _SCHEMES)
def test_inputs_that_fill_no_whole_block_are_padded_and_come_back_alone(scheme: Scheme) -> None:
    values = weight(inputs=70)
    restored = dequantize(quantize(values, scheme), scheme, 70)
    assert restored.shape == (24, 70)
    assert np.corrcoef(restored.ravel(), values.ravel())[0, 1] > 0.98


def test_what_was_stored_in_eight_bits_before_is_stored_exactly() -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(-127, 128, (8, 2, 32))
    codes[:, :, 0] = 127
    values = (codes * np.float32(0.01)).astype(np.float32).reshape(8, 64)
    assert np.allclose(dequantize(quantize(values, Scheme(8)), Scheme(8), 64), values, atol=1e-7)


def test_a_block_of_nothing_but_zeros_stays_zero() -> None:
    for scheme in _SCHEMES:
        assert (dequantize(quantize(np.zeros((2, 64), np.float32), scheme), scheme, 64) == 0).all()


def test_searching_scales_lowers_the_squared_error_of_four_bits() -> None:
    values = weight(outputs=200)
    plain, searched = Scheme(4, symmetric=False), Scheme(4, symmetric=False, search=True)
    errors = [np.square(dequantize(quantize(values, s), s, 96) - values).mean() for s in (plain, searched)]
    assert errors[1] < 0.97 * errors[0]


def test_compensated_rounding_lowers_the_error_of_the_product() -> None:
    rng = np.random.default_rng(2)
    mixing = rng.standard_normal((12, 96)).astype(np.float32)
    inputs = (rng.standard_normal((500, 12)) @ mixing + 0.1 * rng.standard_normal((500, 96))).astype(np.float32)
    values, scheme = weight(), Scheme(4, symmetric=False)
    products = [
        inputs @ dequantize(blocks, scheme, 96).T
        for blocks in (quantize(values, scheme), compensate.quantize(values, inputs.T @ inputs, scheme))
    ]
    errors = [np.square(product - inputs @ values.T).mean() for product in products]
    assert errors[1] < 0.5 * errors[0]


def test_compensation_copes_with_inputs_that_are_always_zero() -> None:
    values, scheme = weight(), Scheme(4, symmetric=False)
    blocks = compensate.quantize(values, np.zeros((96, 96), np.float32), scheme)
    assert np.isfinite(blocks.scales).all()
    assert np.corrcoef(dequantize(blocks, scheme, 96).ravel(), values.ravel())[0, 1] > 0.98
