"""Whether a graph has a canonical INT8 form at all, found out before anything is measured."""

from __future__ import annotations

import onnx

from converters.steps import canonical, lint
from converters.steps.canonical import Scheme
from converters.steps.graph import Graph
from converters.steps.products import find

_SOME = Scheme(-1.0, 1.0)
"""The rules are about the form of a graph, whatever its ranges."""


def why_not(prepared: onnx.ModelProto) -> str | None:
    """Why a graph from `prepare` has no canonical file, as a clause with the remedy; None where it has one."""
    if lint.is_quantized(prepared):
        return "the graph is quantized already, and what its numbers were is lost; upload the FP32 model"
    try:
        lint.check(canonical.quantize(prepared, {product.id: _SOME for product in find(Graph(prepared))}))
    except lint.CanonicalInvalid as error:
        more = f", and {len(error.violations) - 1} more" if len(error.violations) > 1 else ""
        return f"the graph breaks a rule of the canonical file ({error.violations[0][:200]}{more}); export it again"
    return None
