"""What ONNX Runtime really runs of a lowering: counted in the graph after its own optimisation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import onnx

from registry.spec.certificate import Operators
from registry.spec.session import open_session

_QUANTIZED = {"MatMulIntegerToFloat", "MatMulInteger", "DynamicQuantizeMatMul", "ConvInteger", "QAttention", "QGemm"}
_FLOATING = {"MatMul", "FusedMatMul", "Gemm", "FusedGemm", "Conv", "FusedConv", "ConvTranspose", "Attention"}
_LEAST_FUSED = 0.95


def audit(model: Path, *, exact_x86: bool, scratch: Path) -> Operators:
    """The products and convolutions of `model` by how they run; a DequantizeLinear that is left counts as floating."""
    optimized = scratch / "optimized.onnx"
    open_session(model, 1, exact_x86=exact_x86, save_optimized=optimized)
    graph = onnx.load(optimized).graph
    optimized.unlink()
    quantized = [node.op_type for node in graph.node if _is_quantized(node)]
    floating = [node for node in graph.node if node.op_type in _FLOATING]
    left = [node for node in graph.node if node.op_type == "DequantizeLinear"]
    weights = {tensor.name for tensor in graph.initializer} | {name for node in left for name in node.output}
    missed = [node for node in floating if weights & set(node.input[:2])]  # a third would be a bias
    candidates = len(quantized) + len(missed)
    return Operators(
        quantized=_counted(quantized),
        floating=_counted(node.op_type for node in (*floating, *left)),
        quantized_share=len(quantized) / candidates if candidates else 0.0,
    )


def _is_quantized(node: onnx.NodeProto) -> bool:
    return node.op_type in _QUANTIZED or node.op_type.startswith("QLinear")


def _counted(kinds: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(kinds).items()))


def runs_quantized(operators: Operators, products: int) -> bool:
    """Whether the engine fused nearly all `products` of the canonical file to integer kernels and left no DQ over."""
    fused = sum(operators.quantized.values())
    return fused >= _LEAST_FUSED * products and "DequantizeLinear" not in operators.floating
