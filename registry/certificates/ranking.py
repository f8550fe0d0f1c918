"""Layers in the order of the harm that quantizing them does."""

from __future__ import annotations

import math
from collections.abc import Iterable

from registry.spec.certificate import Layer


def by_harm(layers: Iterable[Layer]) -> list[Layer]:
    """The most harmful first, those that were not ranked last; equals in the order of the certificate."""
    return sorted(layers, key=lambda layer: -layer.harm if layer.harm is not None else math.inf)


def ranked(layer: Layer) -> bool:
    """Whether the layer's harm is known."""
    return layer.harm is not None
