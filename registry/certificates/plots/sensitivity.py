"""Per-layer sensitivity: how much harm it does to quantize each layer, and which were left in float for it."""

from __future__ import annotations

from collections.abc import Sequence

from registry.certificates import wording
from registry.certificates.markup import Markup, element, joined
from registry.certificates.plots.drawing import WIDTH, canvas, fitted, hint, label, message
from registry.certificates.ranking import by_harm, ranked
from registry.spec.certificate import Layer

_MOST = 40
"""Layers that are drawn: about what fits a screen."""
_NAMES, _BARS, _VALUES = 8.0, 222.0, 66.0
"""Where names begin, where bars begin, and the room for the value behind a bar."""
_LONGEST = WIDTH - _BARS - _VALUES - 8
_ROW, _REASON = 18.0, 14.0
_HEAD = 52.0


def layer_sensitivity(layers: Sequence[Layer]) -> str:
    """An SVG with a bar for each of the 40 most harmful layers, most harmful first; the rest is counted below.

    A layer in float has another colour, and a line that says so and why.
    """
    ordered = by_harm(layers)
    if not ordered:
        return message("No layers were recorded.")
    if not ranked(ordered[0]):
        return message(f"None of the {len(ordered)} layers was ranked.")
    drawn, rest = ordered[:_MOST], ordered[_MOST:]
    most = max(_harm(drawn[0]), 0.0)
    parts, y = _head(), _HEAD
    for layer in drawn:
        row, height = _row(layer, y, most)
        parts.append(row)
        y += height
    if rest:
        parts.append(label(_NAMES, y + 12, _about(rest), class_="quiet"))
        y += 20
    return canvas(y + 6, f"Harm of quantizing each of {len(drawn)} layers, most harmful first.", parts)


def _harm(layer: Layer) -> float:
    return layer.harm if ranked(layer) and layer.harm is not None else 0.0


def _head() -> list[Markup]:
    return [
        label(_NAMES, 16, "loss with nothing but this layer quantized", class_="strong"),
        element("circle", cx=_NAMES + 5, cy=31, r=5, class_="quantized-bar"),
        label(_NAMES + 15, 35, "quantized", class_="small"),
        element("circle", cx=_NAMES + 95, cy=31, r=5, class_="float-bar"),
        label(_NAMES + 105, 35, "left in float", class_="small"),
    ]


def _row(layer: Layer, y: float, most: float) -> tuple[Markup, float]:
    """The row at `y`, and its height: a layer in float has a second line."""
    floating = layer.arithmetic in wording.FLOATING
    length = max(1.0, _LONGEST * (max(0.0, _harm(layer)) / most) if most else 0.0) if ranked(layer) else 0.0
    value = wording.number(_harm(layer)) if ranked(layer) else "not ranked"
    bar_class = "float-bar" if floating else "quantized-bar"
    parts = [
        hint(_details(layer, value)),
        element("rect", x=0, y=y, width=WIDTH, height=_ROW, class_="ground"),  # the pointer is over all of the row
        label(_NAMES, y + 12, fitted(layer.name, _BARS - _NAMES - 6, small=True), class_="small"),
        element("rect", x=_BARS, y=y + 3, width=length, height=_ROW - 7, class_=bar_class),
        label(_BARS + length + 5, y + 12, value, class_="small"),
    ]
    if not floating:
        return element("g", joined(parts)), _ROW
    why = f"{wording.ARITHMETIC[layer.arithmetic]}: {layer.reason or 'no reason was recorded'}"
    parts.append(label(_NAMES + 8, y + 25, fitted(why, WIDTH - _NAMES - 16, small=True), class_="quiet small"))
    return element("g", joined(parts)), _ROW + _REASON


def _details(layer: Layer, harm: str) -> list[str]:
    lines = [
        layer.name,
        f"{wording.ARITHMETIC[layer.arithmetic]}: {wording.operators(layer.operators)}",
        f"harm {harm}",
    ]
    return [*lines, layer.reason] if layer.reason else lines


def _about(rest: Sequence[Layer]) -> str:
    floating = sum(layer.arithmetic in wording.FLOATING for layer in rest)
    return f"and {len(rest)} layers that do no more harm, {floating} of them in float"
