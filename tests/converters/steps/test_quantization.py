"""From a float graph to the canonical INT8 file and its lowering, on a graph small enough to check by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters.search.schemes import Part, local, part, uniform
from converters.steps import audit, canonical, lower_x86, onnxruntime_products, prepare, smooth
from converters.steps.activations import observe
from converters.steps.canonical import Scheme
from converters.steps.graph import Graph
from converters.steps.lint import CanonicalInvalid, check
from converters.steps.products import find
from registry.spec.certificate import Engine
from registry.spec.session import open_graph, open_session, openvino_name
from tests.converters.steps.quantized import partly_quantized

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


def observed(model: onnx.ModelProto, scratch: Path) -> Part:
    """The prepared graph with what its products read."""
    prepared = prepare.prepare(model, scratch)
    inputs = {value.name for value in prepared.graph.input}
    feeds = [{"x": rows} for rows in np.split(samples(1200), 20)]
    assert inputs == {"x"}
    return part(prepared, observe(prepared, find(Graph(prepared)), feeds, 1, scratch))


def quantized(model: onnx.ModelProto, scratch: Path, strategy: str = "each layer's") -> onnx.ModelProto:
    """The canonical file by the first strategy of that name."""
    known = observed(model, scratch)
    named = [*local({"model": known}, lambda message: None), *uniform({"model": known})]
    schemes = next(parts for name, parts in named if name.startswith(strategy))
    return canonical.quantize(known.model, schemes["model"])


@pytest.fixture
def int8(tmp_path: Path) -> onnx.ModelProto:
    return quantized(graph(), tmp_path)


def test_preparation_merges_and_changes_nothing(tmp_path: Path) -> None:
    prepared = prepare.prepare(graph(), tmp_path)
    kinds = [node.op_type for node in prepared.graph.node]
    assert kinds.count("MatMul") == 1
    assert kinds.count("Split") == 1
    assert "Gemm" not in kinds
    assert b"a trace" not in prepared.SerializeToString()
    for before, after in zip(run(graph(), samples(), tmp_path), run(prepared, samples(), tmp_path), strict=True):
        np.testing.assert_allclose(before, after, rtol=1e-4, atol=1e-4)


def test_calibration_sees_the_least_and_the_greatest(tmp_path: Path) -> None:
    x = samples(1200)
    activation = observed(graph(), tmp_path).activations["x"]
    np.testing.assert_array_equal(activation.low, x.min(axis=0))
    np.testing.assert_array_equal(activation.high, x.max(axis=0))
    assert activation.rows.shape == (1200, WIDTH)
    assert all(any(np.array_equal(row, other) for other in x) for row in activation.rows[:5])
    assert not list(tmp_path.iterdir())


def test_smoothing_evens_out_activations_and_weights() -> None:
    activations = np.array([1.0, 100.0], dtype=np.float32)
    weights = np.array([[1.0, -2.0], [0.5, 2.0]], dtype=np.float32)
    multiplier = smooth.multiplier(activations, weights, alpha=0.5)
    np.testing.assert_allclose(activations * multiplier, np.abs(weights / multiplier[:, None]).max(axis=1), rtol=1e-5)
    assert np.isfinite(smooth.multiplier(np.zeros(2, np.float32), np.zeros((2, 2), np.float32), alpha=0.8)).all()


@pytest.mark.parametrize("lowered", [False, True])
@pytest.mark.parametrize("strategy", ["each layer's", "min-max, SmoothQuant α 0.8", "squared error", "entropy"])
def test_int8_is_close_to_float(strategy: str, lowered: bool, tmp_path: Path) -> None:
    int8 = quantized(graph(), tmp_path, strategy)
    model = lower_x86.lower(int8) if lowered else int8
    x = samples(seed=9)
    least = 0.999 if strategy.startswith(("each", "min-max")) else 0.95  # without smoothing the outlier channel costs
    for before, after in zip(run(graph(), x, tmp_path), run(model, x, tmp_path), strict=True):
        assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > least


def test_the_lowering_runs_in_integers(int8: onnx.ModelProto, tmp_path: Path) -> None:
    onnx.save(lower_x86.lower(int8), tmp_path / "model.onnx")
    operators = audit.audit(tmp_path, ["model"], Engine.ONNXRUNTIME, exact_x86=False, scratch=tmp_path)
    assert operators.quantized == {"MatMulIntegerToFloat": 1}
    assert operators.floating == {}
    assert operators.quantized_share == 1.0
    assert audit.runs_quantized(operators, 1)


def test_a_product_takes_its_bias_along_in_onnx_runtime(int8: onnx.ModelProto, tmp_path: Path) -> None:
    lowered = lower_x86.lower(int8)
    x = samples(seed=9)
    before = run(lowered, x, tmp_path)
    fused = onnxruntime_products.fuse(lower_x86.lower(int8))
    kinds = [node.op_type for node in fused.graph.node]
    assert kinds.count("MatMulIntegerToFloat") == 1
    assert "DequantizeLinear" not in kinds
    for one, other in zip(before, run(fused, x, tmp_path), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_openvino_runs_the_same_lowering_in_integers(int8: onnx.ModelProto, tmp_path: Path) -> None:
    onnx.save(lower_x86.lower(int8), tmp_path / "model.onnx")
    x = samples(seed=9)
    expected = open_graph(tmp_path, "model", 1, exact_x86=False).run(["one", "three"], {"x": x})
    (tmp_path / "model.onnx").rename(tmp_path / openvino_name("model"))
    operators = audit.audit(tmp_path, ["model"], Engine.OPENVINO, exact_x86=False, scratch=tmp_path)
    assert operators.quantized == {"FullyConnected": 1}
    assert operators.floating == {}
    answered = open_graph(tmp_path, "model", 1, exact_x86=False).run(["one", "three"], {"x": x})
    for one, other in zip(expected, answered, strict=True):
        np.testing.assert_allclose(one, other, atol=0.02 * np.abs(one).max())


def test_what_the_engine_does_not_fuse_is_found_out(tmp_path: Path) -> None:
    onnx.save(prepare.prepare(graph(), tmp_path), tmp_path / "model.onnx")
    operators = audit.audit(tmp_path, ["model"], Engine.ONNXRUNTIME, exact_x86=False, scratch=tmp_path)
    assert not audit.runs_quantized(operators, 1)
    assert operators.quantized_share == 0.0


def test_the_share_is_of_what_could_be_quantized(tmp_path: Path) -> None:
    model = graph()
    model.graph.node.append(helper.make_node("Transpose", ["x"], ["turned"]))
    model.graph.node.append(helper.make_node("MatMul", ["turned", "x"], ["four"]))  # no weights, like attention
    model.graph.output.append(helper.make_tensor_value_info("four", TensorProto.FLOAT, [WIDTH, WIDTH]))
    onnx.save(lower_x86.lower(quantized(model, tmp_path)), tmp_path / "model.onnx")
    operators = audit.audit(tmp_path, ["model"], Engine.ONNXRUNTIME, exact_x86=False, scratch=tmp_path)
    assert sum(operators.floating.values()) == 1
    assert operators.quantized_share == 1.0


def test_what_the_source_quantized_itself_is_left_as_it_is(tmp_path: Path) -> None:
    model = partly_quantized(prepare.prepare(graph(), tmp_path), tmp_path)
    lowered = lower_x86.lower(canonical.quantize(model, {}))
    node = next(node for node in lowered.graph.node if node.op_type == "QuantizeLinear")
    assert list(node.input[1:]) == ["s", "z"]
    x = samples(seed=9)
    for one, other in zip(run(model, x, tmp_path), run(lowered, x, tmp_path), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("imported", [False, True])
def test_the_domain_of_fused_products_is_imported_once(imported: bool, int8: onnx.ModelProto) -> None:
    lowered = lower_x86.lower(int8)
    if imported:
        lowered.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    fused = onnxruntime_products.fuse(lowered)
    assert [entry.domain for entry in fused.opset_import].count("com.microsoft") == 1


def test_the_same_graph_gives_the_same_bytes(tmp_path: Path) -> None:
    def build() -> tuple[bytes, bytes]:
        result = quantized(graph(), tmp_path)
        return result.SerializeToString(), lower_x86.lower(result).SerializeToString()

    assert build() == build()


def test_weights_that_are_not_numbers_stay_float(tmp_path: Path) -> None:
    model = graph()
    tensor = next(t for t in model.graph.initializer if t.name == "w1")
    tensor.CopyFrom(numpy_helper.from_array(np.full((WIDTH, 16), np.nan, np.float32), "w1"))
    products = find(Graph(prepare.prepare(model, tmp_path)))
    assert [product.shape for product in products] == [(WIDTH, 24)]


def test_a_scheme_for_one_product_leaves_the_others_in_float(tmp_path: Path) -> None:
    model = graph()
    del model.graph.node[1].input[:]
    model.graph.node[1].input.extend(["one_wide", "w2", "b2"])
    model.graph.node.insert(1, helper.make_node("Concat", ["one", "one"], ["one_wide"], axis=1))
    prepared = prepare.prepare(model, tmp_path)
    first, second = find(Graph(prepared))
    kinds = [node.op_type for node in canonical.quantize(prepared, {second.id: Scheme(-1, 1)}).graph.node]
    assert kinds.count("QuantizeLinear") == 1
    assert kinds.count("DequantizeLinear") == 2
    assert first.id != second.id


def _constant(model: onnx.ModelProto, kind: str, position: int) -> TensorProto:
    node = next(node for node in model.graph.node if node.op_type == kind)
    return next(t for t in model.graph.initializer if t.name == node.input[position])


def _replace(model: onnx.ModelProto, kind: str, position: int, value: np.ndarray) -> None:
    tensor = _constant(model, kind, position)
    tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))


def _weights(model: onnx.ModelProto) -> onnx.NodeProto:
    return [node for node in model.graph.node if node.op_type == "DequantizeLinear"][1]


def test_the_linter_takes_what_we_make(int8: onnx.ModelProto) -> None:
    check(int8)


def test_the_linter_refuses_u8(int8: onnx.ModelProto) -> None:
    with pytest.raises(CanonicalInvalid, match="U8 is read as S8"):
        check(lower_x86.lower(int8))


def test_the_linter_refuses_a_zero_point(int8: onnx.ModelProto) -> None:
    _replace(int8, "QuantizeLinear", 2, np.array(3, np.int8))
    with pytest.raises(CanonicalInvalid, match="zero point is not 0"):
        check(int8)


def test_the_linter_refuses_a_scale_that_is_not_positive(int8: onnx.ModelProto) -> None:
    _replace(int8, "QuantizeLinear", 1, np.array(0, np.float32))
    with pytest.raises(CanonicalInvalid, match="not a positive constant"):
        check(int8)


def test_the_linter_refuses_scales_along_the_inputs(int8: onnx.ModelProto) -> None:
    _weights(int8).attribute[0].i = 0
    with pytest.raises(CanonicalInvalid, match="per output channel"):
        check(int8)


def test_the_linter_refuses_a_quantized_bias(int8: onnx.ModelProto) -> None:
    node = _weights(int8)
    levels = next(t for t in int8.graph.initializer if t.name == node.input[0])
    levels.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(levels).astype(np.int32), levels.name))
    with pytest.raises(CanonicalInvalid, match="a bias stays float"):
        check(int8)


def test_the_linter_refuses_another_opset(int8: onnx.ModelProto) -> None:
    int8.opset_import[0].version = 23
    with pytest.raises(CanonicalInvalid, match="opset 23"):
        check(int8)


def test_the_linter_refuses_operators_that_must_stay_float(int8: onnx.ModelProto) -> None:
    product = next(node for node in int8.graph.node if node.op_type == "MatMul")
    product.op_type = "Add"
    with pytest.raises(CanonicalInvalid, match="Add must stay float"):
        check(int8)
