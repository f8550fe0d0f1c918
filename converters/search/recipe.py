"""What makes a candidate: the engine, and how each product is quantized."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from converters.steps.canonical import Scheme
from registry.spec.certificate import Arithmetic, Engine

Schemes = Mapping[str, Mapping[str, Scheme]]
"""How each product is quantized, by part and by the product's id; what is missing runs in float."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a candidate's bytes, beside the prepared graphs.

    `title` and `floating`, how many layers went back to float, are for people.
    """

    title: str
    arithmetic: Arithmetic
    engine: Engine
    schemes: Schemes
    floating: int = 0

    @property
    def name(self) -> str:
        """What people call it."""
        if not self.floating:
            return self.title
        return f"{self.title}, {self.floating} layer{'s' if self.floating > 1 else ''} in float"

    @property
    def key(self) -> str:
        """A digest of everything but what it is called."""
        digest = hashlib.sha256(f"{self.arithmetic} {self.engine}".encode())
        for part, schemes in sorted(self.schemes.items()):
            for product, scheme in sorted(schemes.items()):
                digest.update(f"{part} {product} {scheme.low!r} {scheme.high!r}".encode())
                digest.update(b"" if scheme.smoothing is None else scheme.smoothing.tobytes())
                digest.update(b"" if scheme.weights is None else scheme.weights.levels.tobytes())
        return digest.hexdigest()

    @property
    def form(self) -> str:
        """A digest of what decides how long it takes: which products are quantized and which are smoothed."""
        digest = hashlib.sha256(f"{self.arithmetic} {self.engine}".encode())
        for part, schemes in sorted(self.schemes.items()):
            for product, scheme in sorted(schemes.items()):
                digest.update(f"{part} {product} {scheme.smoothing is not None}".encode())
        return digest.hexdigest()

    @property
    def products(self) -> int:
        """How many products are quantized."""
        return sum(len(schemes) for schemes in self.schemes.values())
