"""Dynamic INT8: integer weights, activations scaled anew in every run. For text on CPUs where static scales fail."""

from __future__ import annotations

from pathlib import Path

import onnx

from converters.steps.compact import compact
from converters.steps.graph import Graph


def quantize(model: onnx.ModelProto, scratch: Path) -> onnx.ModelProto:
    """The graph with its MatMuls in dynamic INT8, one scale per output channel, and its tables small."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    source, target = scratch / "before-dynamic.onnx", scratch / "dynamic.onnx"
    onnx.save(model, source)
    quantize_dynamic(source, target, op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QInt8)
    quantized = onnx.load(target)
    source.unlink()
    target.unlink()
    graph = Graph(quantized)
    compact(graph, {}, recurrent=True)
    return graph.model
