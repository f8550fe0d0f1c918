"""What a plan runs, read out of TensorRT's descriptions of both versions and out of a real builder's log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
import tensorrt_rtx as api

from converters.errors import ConversionFailed
from converters.tensorrt import inspect_engine
from converters.tensorrt.build import Options, build
from converters.tensorrt.float16 import to_half
from converters.tensorrt.messages import Messages, logger
from converters.tensorrt.profiles import Span, batch, profiles
from tests.converters.tensorrt.graphs import block, convolutions

INT8_ROWS = "Thirty-two wide channel vectorized row major Int8 format"


def tensor(kind: str, version: int, *dimensions: int) -> dict[str, Any]:
    """A tensor as the inspector of a version writes it."""
    fields = {"Format/Datatype": kind} if version == 10 else {"Datatype": kind, "Format": "Row major linear format"}
    return {"Name": "t", "Location": "Device", "Dimensions": list(dimensions), **fields}


def layer(name: str, kind: str, inputs: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    return {"Name": name, "LayerType": kind, "Inputs": inputs, "Outputs": [], **fields}


def version_10() -> str:
    """TensorRT's own kernels have `Weights`, and with shapes that vary it may not say what a tensor is."""
    layers = [
        layer("in", "Reformat", [tensor("Row major linear FP32", 10, 1, 3, 8, 8)]),
        layer("a", "CaskConvolution", [tensor(INT8_ROWS, 10, 1, 32, 8, 8)], Weights={"Type": "Int8", "Count": 9216}),
        layer("b", "CaskConvolution", [tensor("Row major linear FP16", 10)], Weights={"Type": "Half", "Count": 9216}),
        layer(
            "c",
            "CaskGemmMatrixMultiply",
            [tensor("N/A due to dynamic shapes", 10, -1, 64)],
            Weights={"Type": "Int8", "Count": 4096},
        ),
        layer("pool", "CaskPooling", [tensor(INT8_ROWS, 10, 1, 32, 8, 8)]),
    ]
    return json.dumps({"Layers": layers, "Bindings": ["x", "y"]})


def version_11() -> str:
    """The compiler's layers have `Constants`; products of two activations have none that counts."""
    one = tensor("Float", 11, 1)
    layers = [
        layer("q", "kgen", [tensor("Half", 11, -1, 32)]),
        layer("g", "gemm", [tensor("Int8", 11, -1, 32)], Constants=[one, tensor("Int8", 11, 32, 96)]),
        layer("h", "gemm", [tensor("Half", 11, -1, 32)], Constants=[tensor("Half", 11, 32, 96), one]),
        layer("s", "gemm", [tensor("Half", 11, -1, 32), tensor("Half", 11, -1, 32)], Constants=[one]),
        layer("_gemm_mha_v2_myl0_7", "kgen", [tensor("Half", 11, -1, 32)], Constants=[]),
    ]
    return json.dumps({"Layers": layers, "I/O Tensors": [], "Engine Metadata": {}})


def test_version_10() -> None:
    operators = inspect_engine.of_json(version_10())
    assert operators.quantized == {"CaskConvolution": 1, "CaskGemmMatrixMultiply": 1}
    assert operators.floating == {"CaskConvolution": 1}
    assert operators.quantized_share == pytest.approx(2 / 3)


def test_version_11() -> None:
    operators = inspect_engine.of_json(version_11())
    assert operators.quantized == {"gemm": 1}
    assert operators.floating == {"fused products": 1, "gemm": 2}
    assert operators.quantized_share == 0.5  # of the products with weights: attention cannot be quantized


def test_a_product_with_float_weights_is_not_counted_as_int8() -> None:
    mixed = layer("m", "gemm", [tensor("Int8", 11, -1, 32)], Constants=[tensor("Half", 11, 32, 96)])
    operators = inspect_engine.of_json(json.dumps({"Layers": [mixed]}))
    assert operators.quantized == {}
    assert operators.quantized_share == 0.0


def test_a_residual_that_is_added_in_the_same_kernel_does_not_matter() -> None:
    inputs = [tensor("Int8", 11, -1, 32, 8, 8), tensor("Half", 11, -1, 32, 8, 8)]
    fused = layer("r", "CaskConvolution", inputs, Weights={"Type": "Int8", "Count": 9216})
    assert inspect_engine.of_json(json.dumps({"Layers": [fused]})).quantized == {"CaskConvolution": 1}


def test_a_plan_of_names_alone_is_no_evidence() -> None:
    with pytest.raises(ConversionFailed, match="only the names"):
        inspect_engine.of_json(json.dumps({"Layers": ["conv1 + relu1"], "Bindings": []}))


def listing(model: onnx.ModelProto, shapes: dict[str, Span], directory: Path) -> str:
    path = directory / "model.onnx"
    onnx.save(model, path)
    options = Options(profiles(model, batch(8), [shapes]), compute_capabilities=("SM86",))
    return build(api, path, options).listing


def test_a_real_compiler_is_understood(tmp_path: Path) -> None:
    """Q, K and V become one product; attention stays float, since nothing quantizes it."""
    text = listing(to_half(block()).model, {"tokens": Span(8, 16, 32)}, tmp_path)
    assert len(inspect_engine.layers_of_listing(text)) == text.count("LayerType: ")
    operators = inspect_engine.of_listing(text)
    assert operators.quantized == {"gemm": 3}
    assert operators.floating == {"fused products": 1}
    assert operators.quantized_share == 1.0


def test_a_scale_with_a_dimension_turns_a_convolution_into_float(tmp_path: Path) -> None:
    """Why a scale has none: the same numbers, and nothing says a word."""
    model = convolutions()
    node = next(node for node in model.graph.node if node.op_type == "QuantizeLinear")
    for tensor in model.graph.initializer:
        if tensor.name in node.input[1:]:
            assert not tensor.dims
            tensor.dims.append(1)
    assert "correlation" in inspect_engine.of_listing(listing(model, {}, tmp_path)).floating
    cast = inspect_engine.of_listing(listing(to_half(model).model, {}, tmp_path))
    assert cast.quantized == {"correlation": 1}


def test_a_plan_that_cannot_be_opened_here_is_not_judged(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(convolutions(), path)
    plan = build(api, path, Options(profiles(convolutions(), batch(8)), compute_capabilities=("SM86",))).plan
    if api.Runtime(logger(api, Messages())).deserialize_cuda_engine(plan) is not None:
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConversionFailed, match="cannot be opened on this machine"):
        inspect_engine.inspect(api, plan, logger(api, Messages()))
