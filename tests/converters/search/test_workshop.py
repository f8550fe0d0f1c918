"""Candidates as files: which kernels they ask for, and what becomes of a source that is quantized already."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from converters.search import workshop
from converters.search.recipe import Recipe
from converters.search.workshop import Workshop
from converters.steps import quantizable
from converters.steps.canonical import Scheme
from registry.spec.certificate import Arithmetic, Engine
from tests.converters.search.given import WIDTH, chain
from tests.converters.steps.quantized import Quantize, dynamically_quantized, partly_quantized


def _recipe(arithmetic: Arithmetic, engine: Engine = Engine.ONNXRUNTIME) -> Recipe:
    schemes = {f"product{i}": Scheme(-3.0, 3.0) for i in range(2)} if arithmetic is Arithmetic.INT8 else {}
    return Recipe("candidate", arithmetic, engine, {"model": schemes} if schemes else {})


def _workshop(model: onnx.ModelProto, scratch: Path) -> Workshop:
    return Workshop({"model": model}, {"model": model}, scratch)


@pytest.mark.parametrize("saturates", [True, False])
@pytest.mark.parametrize(
    ("recipe", "integers"),
    [
        (_recipe(Arithmetic.INT8), True),
        (_recipe(Arithmetic.INT8_DYNAMIC), True),
        (_recipe(Arithmetic.INT8_WEIGHTS), False),
        (_recipe(Arithmetic.FLOAT32), False),
        (_recipe(Arithmetic.INT8, Engine.OPENVINO), False),
    ],
)
def test_integer_products_take_the_exact_kernels_where_the_others_saturate(
    recipe: Recipe, integers: bool, saturates: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workshop, "saturates", lambda: saturates)
    candidate = _workshop(chain(2), tmp_path).make(recipe)
    assert candidate.exact_x86 is (integers and saturates)


@pytest.mark.parametrize("quantize", [partly_quantized, dynamically_quantized])
def test_a_quantized_source_is_stored_as_any_other(quantize: Quantize, tmp_path: Path) -> None:
    model = quantize(chain(2, 128), tmp_path)
    assert quantizable.why_not(model) is not None
    candidate = _workshop(model, tmp_path / "made").make(_recipe(Arithmetic.INT8_WEIGHTS))
    floating = _workshop(model, tmp_path / "floating").make(_recipe(Arithmetic.FLOAT32))
    feeds = {"x": np.random.default_rng(3).standard_normal((4, 128)).astype(np.float32)}
    (one,), (other,) = (found.open_part("model", 1).run(None, feeds) for found in (candidate, floating))
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.99


def test_a_float_source_has_a_canonical_form() -> None:
    assert quantizable.why_not(chain(2, WIDTH)) is None
