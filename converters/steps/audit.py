"""What ONNX Runtime really runs of a lowering: counted in the graph after its own optimisation."""

from __future__ import annotations

from collections import Counter
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
    counts = Counter(node.op_type for node in onnx.load(optimized).graph.node)
    optimized.unlink()
    quantized = {kind: n for kind, n in sorted(counts.items()) if kind in _QUANTIZED or kind.startswith("QLinear")}
    floating = {kind: n for kind, n in sorted(counts.items()) if kind in _FLOATING or kind == "DequantizeLinear"}
    total = sum(quantized.values()) + sum(floating.values())
    return Operators(
        quantized=quantized, floating=floating, quantized_share=sum(quantized.values()) / total if total else 0.0
    )


def runs_quantized(operators: Operators, products: int) -> bool:
    """Whether the engine fused nearly all `products` of the canonical file to integer kernels and left no DQ over."""
    fused = sum(operators.quantized.values())
    return fused >= _LEAST_FUSED * products and "DequantizeLinear" not in operators.floating
