"""Makes candidates out of recipes: canonical file, lowering, the engine's own format."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx

from converters.search.recipe import Recipe
from converters.steps import audit, canonical, dynamic, lint, lower_x86, onnxruntime_products
from converters.steps.canonical import Weights
from converters.steps.run import Refusing, refusals
from converters.subject import Model
from registry.spec.certificate import Arithmetic, Engine, Operators
from registry.spec.hardware import saturates
from registry.spec.session import Session, open_graph, openvino_name

_KEPT = 4  # a search looks at a hundred candidates, each a quarter of the float model's bytes
_SPARE_BIT = 63  # weights of 7 bits: OpenVINO adds pairs of products in int16 where there is no VNNI


@dataclass(frozen=True)
class Candidate:
    """A model as it would serve: a file of each part in `directory`, and how it is to be opened."""

    recipe: Recipe
    directory: Path
    parts: tuple[str, ...]
    exact_x86: bool

    def open(self, threads: int) -> Model:
        """Open every part, as `open_part` does."""
        return {part: self.open_part(part, threads) for part in self.parts}

    def open_part(self, part: str, threads: int) -> Session:
        """Open one part. Raises EngineRefused, as the session does afterwards where it does not take its inputs."""
        with refusals():
            session = open_graph(self.directory, part, threads, exact_x86=self.exact_x86)
        return Refusing(session)

    @property
    def size(self) -> int:
        """Bytes of the graph files."""
        return sum(path.stat().st_size for path in self.directory.iterdir())


class Workshop:
    """Works in `scratch`, where the float model and the last few candidates lie; an older one is made again."""

    def __init__(
        self, floating: Mapping[str, onnx.ModelProto], prepared: Mapping[str, onnx.ModelProto], scratch: Path
    ) -> None:
        self._floating = floating
        self._prepared = prepared
        self._scratch = scratch
        self._rounded: Mapping[str, Mapping[str, Weights]] = {}
        self._recent: list[Path] = []

    def store_by(self, rounded: Mapping[str, Mapping[str, Weights]]) -> None:
        """How the weights of what runs in float are rounded, by part and product; to nearest where it is not said."""
        self._rounded = rounded

    @property
    def knows_rounding(self) -> bool:
        """Whether it was said how the weights of what runs in float are rounded."""
        return bool(self._rounded)

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the model's graphs."""
        return tuple(self._floating)

    def make(self, recipe: Recipe) -> Candidate:
        """The candidate of `recipe`, complete or not there at all."""
        target = self._scratch / recipe.key
        integers = recipe.arithmetic in (Arithmetic.INT8, Arithmetic.INT8_DYNAMIC)
        exact = integers and recipe.engine is Engine.ONNXRUNTIME and saturates()
        candidate = Candidate(recipe, target, self.parts, exact)
        if target.is_dir():
            return candidate
        unfinished = self._scratch / f"{recipe.key}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for part in self.parts:
            self._write(self._graph(recipe, part), recipe.engine, unfinished, part)
        unfinished.rename(target)
        self._make_room(candidate)
        return candidate

    def _make_room(self, newest: Candidate) -> None:
        if newest.recipe.arithmetic is Arithmetic.FLOAT32:
            return
        self._recent.append(newest.directory)
        while len(self._recent) > _KEPT:
            shutil.rmtree(self._recent.pop(0))

    def operators(self, recipe: Recipe) -> Operators:
        """What the engine of `recipe` runs in integers and what in float. Raises EngineRefused."""
        candidate = self.make(recipe)
        return audit.audit(
            candidate.directory,
            candidate.parts,
            recipe.engine,
            exact_x86=candidate.exact_x86,
            scratch=self._scratch,
        )

    def canonical(self, recipe: Recipe, part: str) -> onnx.ModelProto:
        """The canonical file of one part, checked. Raises CanonicalInvalid for a graph that breaks the rules."""
        model = canonical.quantize(self._prepared[part], recipe.schemes.get(part, {}))
        lint.check(model)
        return model

    def _graph(self, recipe: Recipe, part: str) -> onnx.ModelProto:
        if recipe.arithmetic is Arithmetic.FLOAT32:
            return self._floating[part]
        if recipe.arithmetic is Arithmetic.INT8_DYNAMIC:
            return dynamic.quantize(self._prepared[part], self._scratch)
        openvino = recipe.engine is Engine.OPENVINO
        greatest = _SPARE_BIT if openvino and saturates() else canonical.S8_MAX
        model = canonical.quantize(self._prepared[part], recipe.schemes.get(part, {}), greatest)
        lowered = lower_x86.lower(model, self._rounded.get(part), recurrent=not openvino)
        return lowered if openvino or not recipe.products else onnxruntime_products.fuse(lowered)

    def _write(self, graph: onnx.ModelProto, engine: Engine, directory: Path, part: str) -> None:
        onnx.save(graph, directory / (openvino_name(part) if engine is Engine.OPENVINO else f"{part}.onnx"))
