"""From a float graph to the canonical INT8 file and its lowering, on a graph small enough to check by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters.steps import audit, calibrate, canonical, lower_x86, prepare, smooth
from converters.steps.calibrate import Channels
from converters.steps.lint import CanonicalInvalid, check
from registry.spec.session import open_session

WIDTH = 32


def graph() -> onnx.ModelProto:
    """Two products that share x FP32 [batch, 32], one of them a Gemm; an outlier channel makes x hard to quantize."""
    rng = np.random.default_rng(3)
    constants = {
        "w1": rng.standard_normal((WIDTH, 16)).astype(np.float32),
        "w2": rng.standard_normal((24, WIDTH)).astype(np.float32),
        "b2": rng.standard_normal(24).astype(np.float32),
    }
    return helper.make_model(
        helper.make_graph(
            [
                helper.make_node("MatMul", ["x", "w1"], ["one"], doc_string="a trace with a path"),
                helper.make_node("Gemm", ["x", "w2", "b2"], ["two"], transB=1, alpha=0.5, beta=2.0),
                helper.make_node("Relu", ["two"], ["three"]),
            ],
            "graph",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", WIDTH])],
            [
                helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", k])
                for n, k in (("one", 16), ("three", 24))
            ],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )


def samples(rows: int = 200, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((rows, WIDTH)).astype(np.float32)
    x[:, 5] = x[:, 5] * 30 + 40
    return x


def run(model: onnx.ModelProto, x: np.ndarray, directory: Path) -> list[np.ndarray]:
    onnx.save(model, directory / "graph.onnx")
    return list(open_session(directory / "graph.onnx", 1, exact_x86=False).run(None, {"x": x}))


@pytest.fixture
def int8(tmp_path: Path) -> canonical.Canonical:
    prepared = prepare.prepare(graph())
    return canonical.quantize(prepared, calibrate.observe(prepared, [{"x": samples()}], 1, tmp_path))


def test_preparation_merges_and_changes_nothing(tmp_path: Path) -> None:
    prepared = prepare.prepare(graph())
    kinds = [node.op_type for node in prepared.graph.node]
    assert kinds.count("MatMul") == 1
    assert kinds.count("Split") == 1
    assert "Gemm" not in kinds
    assert b"a trace" not in prepared.SerializeToString()
    for before, after in zip(run(graph(), samples(), tmp_path), run(prepared, samples(), tmp_path), strict=True):
        np.testing.assert_allclose(before, after, rtol=1e-4, atol=1e-4)


def test_calibration_sees_the_least_and_the_greatest(tmp_path: Path) -> None:
    x = samples()
    observed = calibrate.observe(prepare.prepare(graph()), [{"x": x[:70]}, {"x": x[70:]}], 1, tmp_path)
    np.testing.assert_array_equal(observed["x"].low, x.min(axis=0))
    np.testing.assert_array_equal(observed["x"].high, x.max(axis=0))
    assert not list(tmp_path.iterdir())


def test_smoothing_evens_out_activations_and_weights() -> None:
    activations = np.array([1.0, 100.0], dtype=np.float32)
    weights = np.array([[1.0, -2.0], [0.5, 2.0]], dtype=np.float32)
    multiplier = smooth.multiplier(activations, weights, alpha=0.5)
    np.testing.assert_allclose(activations * multiplier, np.abs(weights / multiplier[:, None]).max(axis=1), rtol=1e-5)
    assert np.isfinite(smooth.multiplier(np.zeros(2, np.float32), np.zeros((2, 2), np.float32))).all()


@pytest.mark.parametrize("lowered", [False, True])
def test_int8_is_close_to_float(int8: canonical.Canonical, lowered: bool, tmp_path: Path) -> None:
    model = lower_x86.lower(int8.model) if lowered else int8.model
    x = samples(seed=9)
    for before, after in zip(run(graph(), x, tmp_path), run(model, x, tmp_path), strict=True):
        assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.999


def test_the_lowering_runs_in_integers(int8: canonical.Canonical, tmp_path: Path) -> None:
    onnx.save(lower_x86.lower(int8.model), tmp_path / "graph.onnx")
    operators = audit.audit(tmp_path / "graph.onnx", exact_x86=False, scratch=tmp_path)
    assert operators.quantized == {"MatMulIntegerToFloat": 1}
    assert operators.floating == {}
    assert operators.quantized_share == 1.0
    assert audit.runs_quantized(operators, int8.products)


def test_what_the_engine_does_not_fuse_is_found_out(int8: canonical.Canonical, tmp_path: Path) -> None:
    prepared = prepare.prepare(graph())
    onnx.save(prepared, tmp_path / "graph.onnx")
    operators = audit.audit(tmp_path / "graph.onnx", exact_x86=False, scratch=tmp_path)
    assert not audit.runs_quantized(operators, int8.products)
    assert operators.quantized_share == 0.0


def test_the_share_is_of_what_could_be_quantized(tmp_path: Path) -> None:
    model = graph()
    model.graph.node.append(helper.make_node("Transpose", ["x"], ["turned"]))
    model.graph.node.append(helper.make_node("MatMul", ["turned", "x"], ["four"]))  # no weights, like attention
    model.graph.output.append(helper.make_tensor_value_info("four", TensorProto.FLOAT, [WIDTH, WIDTH]))
    prepared = prepare.prepare(model)
    quantized = canonical.quantize(prepared, calibrate.observe(prepared, [{"x": samples()}], 1, tmp_path))
    onnx.save(lower_x86.lower(quantized.model), tmp_path / "graph.onnx")
    operators = audit.audit(tmp_path / "graph.onnx", exact_x86=False, scratch=tmp_path)
    assert sum(operators.floating.values()) == 1
    assert operators.quantized_share == 1.0


def test_the_same_graph_gives_the_same_bytes(tmp_path: Path) -> None:
    def build() -> tuple[bytes, bytes]:
        prepared = prepare.prepare(graph())
        result = canonical.quantize(prepared, calibrate.observe(prepared, [{"x": samples()}], 1, tmp_path))
        return result.model.SerializeToString(), lower_x86.lower(result.model).SerializeToString()

    assert build() == build()


def test_weights_that_are_not_numbers_stay_float() -> None:
    prepared = prepare.prepare(graph())
    nan = np.full(WIDTH, np.nan, np.float32)
    assert canonical.quantize(prepared, {"x": Channels(nan, nan)}).products == 0


def _constant(model: onnx.ModelProto, kind: str, position: int) -> TensorProto:
    node = next(node for node in model.graph.node if node.op_type == kind)
    return next(t for t in model.graph.initializer if t.name == node.input[position])


def _replace(model: onnx.ModelProto, kind: str, position: int, value: np.ndarray) -> None:
    tensor = _constant(model, kind, position)
    tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))


def _weights(model: onnx.ModelProto) -> onnx.NodeProto:
    return [node for node in model.graph.node if node.op_type == "DequantizeLinear"][1]


def test_the_linter_takes_what_we_make(int8: canonical.Canonical) -> None:
    check(int8.model)


def test_the_linter_refuses_u8(int8: canonical.Canonical) -> None:
    with pytest.raises(CanonicalInvalid, match="U8 is read as S8"):
        check(lower_x86.lower(int8.model))


def test_the_linter_refuses_a_zero_point(int8: canonical.Canonical) -> None:
    _replace(int8.model, "QuantizeLinear", 2, np.array(3, np.int8))
    with pytest.raises(CanonicalInvalid, match="zero point is not 0"):
        check(int8.model)


def test_the_linter_refuses_a_scale_that_is_not_positive(int8: canonical.Canonical) -> None:
    _replace(int8.model, "QuantizeLinear", 1, np.array(0, np.float32))
    with pytest.raises(CanonicalInvalid, match="not a positive constant"):
        check(int8.model)


def test_the_linter_refuses_scales_along_the_inputs(int8: canonical.Canonical) -> None:
    _weights(int8.model).attribute[0].i = 0
    with pytest.raises(CanonicalInvalid, match="per output channel"):
        check(int8.model)


def test_the_linter_refuses_a_quantized_bias(int8: canonical.Canonical) -> None:
    node = _weights(int8.model)
    levels = next(t for t in int8.model.graph.initializer if t.name == node.input[0])
    levels.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(levels).astype(np.int32), levels.name))
    with pytest.raises(CanonicalInvalid, match="a bias stays float"):
        check(int8.model)


def test_the_linter_refuses_another_opset(int8: canonical.Canonical) -> None:
    int8.model.opset_import[0].version = 23
    with pytest.raises(CanonicalInvalid, match="opset 23"):
        check(int8.model)


def test_the_linter_refuses_operators_that_must_stay_float(int8: canonical.Canonical) -> None:
    product = next(node for node in int8.model.graph.node if node.op_type == "MatMul")
    product.op_type = "Add"
    with pytest.raises(CanonicalInvalid, match="Add must stay float"):
        check(int8.model)
