"""What the engine really runs of a lowering: counted in its own graph, after its own optimisation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import onnx

from converters.steps.run import refusals
from registry.spec.certificate import Engine, Operators
from registry.spec.session import compile_openvino, open_session, openvino_name

_QUANTIZED = {"MatMulIntegerToFloat", "MatMulInteger", "DynamicQuantizeMatMul", "ConvInteger", "QAttention", "QGemm"}
_FLOATING = {"MatMul", "FusedMatMul", "Gemm", "FusedGemm", "Conv", "FusedConv", "ConvTranspose", "Attention"}
_OPENVINO_PRODUCTS = {"Convolution", "FullyConnected", "MatMul", "Deconvolution"}
_OPENVINO_INTEGERS = {"u8", "i8"}
_LEAST_FUSED = 0.95


def audit(directory: Path, parts: Sequence[str], engine: Engine, *, exact_x86: bool, scratch: Path) -> Operators:
    """The products and convolutions of all `parts` in `directory` by how `engine` runs them. Raises EngineRefused."""
    if engine is Engine.OPENVINO:
        counted = [_openvino(directory / openvino_name(part)) for part in parts]
    else:
        counted = [_onnxruntime(directory / f"{part}.onnx", exact_x86=exact_x86, scratch=scratch) for part in parts]
    quantized = [kind for part in counted for kind in part[0]]
    candidates = len(quantized) + sum(part[2] for part in counted)
    return Operators(
        quantized=_counted(quantized),
        floating=_counted(kind for part in counted for kind in part[1]),
        quantized_share=len(quantized) / candidates if candidates else 0.0,
    )


def runs_quantized(operators: Operators, products: int) -> bool:
    """Whether the engine fused nearly all `products` of the canonical file to integer kernels and left no DQ over."""
    fused = sum(operators.quantized.values())
    return products > 0 and fused >= _LEAST_FUSED * products and "DequantizeLinear" not in operators.floating


def _onnxruntime(model: Path, *, exact_x86: bool, scratch: Path) -> tuple[list[str], list[str], int]:
    """Quantized and floating operators, and how many of the floating have constant weights.

    A DequantizeLinear that is left counts as floating.
    """
    optimized = scratch / "optimized.onnx"
    with refusals():
        open_session(model, 1, exact_x86=exact_x86, save_optimized=optimized)
    graph = onnx.load(optimized).graph
    optimized.unlink()
    quantized = [node.op_type for node in graph.node if _is_quantized(node)]
    floating = [node for node in graph.node if node.op_type in _FLOATING]
    left = [node for node in graph.node if node.op_type == "DequantizeLinear"]
    weights = {tensor.name for tensor in graph.initializer} | {name for node in left for name in node.output}
    missed = [node for node in floating if weights & set(node.input[:2])]  # a third would be a bias
    return quantized, [node.op_type for node in (*floating, *left)], len(missed)


def _is_quantized(node: onnx.NodeProto) -> bool:
    return node.op_type in _QUANTIZED or node.op_type.startswith("QLinear")


def _openvino(model: Path) -> tuple[list[str], list[str], int]:
    """The same of OpenVINO's execution graph, which names the precision in which each layer runs."""
    quantized, floating, missed = [], [], 0
    with refusals():
        compiled = compile_openvino(model, 1)
    for layer in compiled.get_runtime_model().get_ordered_ops():
        information = layer.get_rt_info()
        kind, precision = str(information["layerType"].astype(str)), str(information["runtimePrecision"].astype(str))
        if kind not in _OPENVINO_PRODUCTS:
            continue
        if precision in _OPENVINO_INTEGERS:
            quantized.append(kind)
        else:
            floating.append(kind)
            missed += kind != "MatMul"  # one of two computed values; with weights it is FullyConnected
    return quantized, floating, missed


def _counted(kinds: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(kinds).items()))
