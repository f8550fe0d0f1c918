"""Marks that tell engines apart without colour."""

from __future__ import annotations

from registry.certificates.markup import Markup, element
from registry.spec.certificate import Engine

_CORNERS: dict[Engine, tuple[tuple[float, float], ...]] = {
    Engine.OPENVINO: ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    Engine.GENAI: ((0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)),
    Engine.CTRANSLATE2: ((0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)),
    Engine.TENSORRT: ((0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)),
}
"""In units of a circle's radius, so that all look about as large."""


def shape(engine: Engine | None, x: float, y: float, radius: float, class_: str) -> Markup:
    """The mark of an engine around a point: a circle for ONNX Runtime, and where it is about no engine."""
    if engine is None or engine not in _CORNERS:
        return element("circle", cx=x, cy=y, r=radius, class_=class_)
    corners = " ".join(f"{x + radius * dx:.1f},{y + radius * dy:.1f}" for dx, dy in _CORNERS[engine])
    return element("polygon", points=corners, class_=class_)
