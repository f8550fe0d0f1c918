"""The search: from statistics to the fastest candidate that keeps the accuracy budget.

Scales are chosen for the whole model, the engine by time, and where the budget is not kept layers go back to float,
most harmful first, until it is; then those that turn out not to be needed come back. The order of the steps is that of
mixed-precision search by sensitivity (HAWQ, arXiv 1905.03696) with the task's own measure in place of a proxy.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from converters.progress import Reporter
from converters.search.bench import Bench, speed
from converters.search.recipe import Recipe
from converters.search.schemes import Part, Strategy, local, stored, uniform
from converters.search.workshop import Workshop
from converters.steps.products import Product, by_source
from converters.steps.run import EngineRefused
from registry.spec.certificate import Arithmetic, Engine, Layer, Point

log = logging.getLogger(__name__)

_CLEARLY_FASTER = 0.95  # below that share of ONNX Runtime's time another engine is worth its place
_ALIKE = 1.2  # times the least loss: beyond that no figure of a task has been better
_JUDGED_STRATEGIES = 3  # of all scales, by loss: the task's own figures decide between the best
_SAFER = (1 / 12, 1 / 6, 1 / 3)  # of the layers, where held-out data proves harder than the selection
_ADDED_BACK = 24  # trials to return layers to INT8: by halves, enough to find the two of a hundred that do the harm

_Group = tuple[str, str]
"""A part's name and the value that the group's products read."""


class OutOfTime(Exception):
    """The owner's time limit is reached; what was found so far stands."""


@dataclass
class Search:
    """One search over the recipes of a model. `points` (by recipe) and `layers` are what the certificate shows.

    `refusal` is what the engines said where none of them takes the model in INT8. `deadline` is of the monotonic clock.
    """

    parts: Mapping[str, Part]
    workshop: Workshop
    bench: Bench
    engines: Sequence[Engine]
    reporter: Reporter
    deadline: float | None = None
    points: dict[str, Point] = field(default_factory=dict)
    harm: dict[_Group, float] = field(default_factory=dict)
    best: Recipe | None = None
    out_of_time: bool = False
    refusal: str | None = None

    def run(self) -> Recipe | None:
        """The fastest recipe found that keeps the budget on the selection data; None where there is none in INT8."""
        try:
            self._search()
        except OutOfTime:
            self.out_of_time = True
        return self.best

    def safer(self, best: Recipe) -> Iterator[Recipe]:
        """`best` with more of its layers in float, most harmful first: for data that is harder than the selection.

        Each is another recipe and has layers in INT8. There are no more of them when the time limit is reached.
        """
        try:
            yield from self._safer(best)
        except OutOfTime:
            self.out_of_time = True

    def _safer(self, best: Recipe) -> Iterator[Recipe]:
        self._begin(f"ranking the layers of {best.name}")
        quantized = {
            (part, product.source)
            for part, p in self.parts.items()
            for product in p.products
            if product.id in best.schemes.get(part, {})
        }
        ranking = [group for group in self._ranking(best) if group in quantized]
        floating = {(part, product.source) for part, p in self.parts.items() for product in p.products} - quantized
        seen = {best.key}
        for share in _SAFER:
            recipe = self._without(best, floating | set(ranking[: math.ceil(share * len(ranking))]))
            if recipe.products and recipe.key not in seen:
                self._check_time()
                seen.add(recipe.key)
                yield recipe

    def layers(self, chosen: Recipe) -> list[Layer]:
        """How each layer runs in `chosen`, and why it is float where it is, in the order of the graphs."""
        return [self._layer(part, source, chosen) for part, p in self.parts.items() for source in by_source(p.products)]

    def _layer(self, part: str, source: str, chosen: Recipe) -> Layer:
        products = by_source(self.parts[part].products)[source]
        arithmetic = self._arithmetic(part, products, chosen)
        name = products[0].weights if len(self.parts) == 1 else f"{part}: {products[0].weights}"
        return Layer(
            name=name,
            operators=dict(Counter(product.operator for product in products)),
            arithmetic=arithmetic,
            harm=self.harm.get((part, source)),
            reason=self._why_float(chosen) if arithmetic is Arithmetic.FLOAT32 else None,
        )

    def _arithmetic(self, part: str, products: Sequence[Product], chosen: Recipe) -> Arithmetic:
        if chosen.arithmetic is Arithmetic.INT8_DYNAMIC and all(p.operator == "MatMul" for p in products):
            return Arithmetic.INT8_DYNAMIC
        quantized = products[0].id in chosen.schemes.get(part, {})
        return Arithmetic.INT8 if quantized else Arithmetic.FLOAT32

    @staticmethod
    def _why_float(chosen: Recipe) -> str:
        if chosen.arithmetic is Arithmetic.INT8_DYNAMIC:
            return "dynamic INT8 is for matrix products only"
        if chosen.arithmetic is not Arithmetic.INT8:
            return "the whole model was decided upon, as the certificate's reason says"
        if chosen.floating == 1:
            return "it is the layer, chosen by its harm, whose return to float keeps the accuracy budget"
        return f"it is one of {chosen.floating} layers, chosen by their harm, whose return to float keeps the budget"

    def _search(self) -> None:
        named = uniform(self.parts)
        if self.deadline is not None:  # something in INT8 to fall back on, before rounding takes its minutes
            engine = self._fastest_engine(*named[0])
            if engine is None:
                return
            self._most_accurate([Recipe(name, Arithmetic.INT8, engine, schemes) for name, schemes in named[:1]])
        named = [*local(self.parts, self._begin), *named]
        engine = self._fastest_engine(*named[0])  # again: which products are smoothed changes what an engine fuses
        if engine is None:
            return
        recipes = self._by_loss([Recipe(name, Arithmetic.INT8, engine, schemes) for name, schemes in named])
        likely = [recipe for recipe in recipes if self.bench.loss(recipe) <= _ALIKE * self.bench.loss(recipes[0])]
        start = self._most_accurate(likely[:_JUDGED_STRATEGIES])
        if start is not None and self.best is None:
            self._revert(start)

    def _most_accurate(self, recipes: Sequence[Recipe]) -> Recipe | None:
        """What uses least of the accuracy budget, which is the best so far if it keeps it; None if all are refused."""
        leading: Recipe | None = None
        refusals: list[str] = []
        for recipe in recipes:
            try:
                point = self._try(recipe)
            except EngineRefused as error:
                refusals.append(self._refuse(recipe, error))
                continue
            if leading is None or point.loss < self.points[leading.key].loss:
                leading = recipe
                if point.passed:
                    self.best = recipe
        if leading is None:
            self.refusal = refusals[0]
        return leading

    def _refuse(self, recipe: Recipe, error: EngineRefused) -> str:
        """Say what an engine said, in the log with all of it."""
        log.info("%s refuses %s", recipe.engine, recipe.name, exc_info=error)
        said = f"{recipe.engine} refuses it: {error.brief}"
        self._say(f"{recipe.name}: {said}")
        return said

    def _fastest_engine(self, name: str, schemes: Mapping[str, Strategy]) -> Engine | None:
        """The engine that runs a fully quantized model in the least time; None where no engine takes it."""
        times: dict[Engine, float] = {}
        floating: set[Engine] = set()  # they take the graph, and run much of it in float
        refusals = []
        for engine in self.engines:
            recipe = Recipe(name, Arithmetic.INT8, engine, schemes)
            self._begin(f"timing INT8 in {engine}")
            try:
                self.bench.check(recipe)
                times[engine] = speed(self.bench.latency(recipe, quick=True))
                if not self.bench.runs_in_integers(recipe):
                    floating.add(engine)
            except EngineRefused as error:
                refusals.append(self._refuse(recipe, error))
            else:
                self._say(f"INT8 in {engine} takes {times[engine]:.2f} of float's time")
        if not times:
            self.refusal = "; ".join(refusals)
            return None
        times = {engine: found for engine, found in times.items() if engine not in floating} or times
        quickest = min(times, key=lambda engine: times[engine])
        preferred = Engine.ONNXRUNTIME
        if preferred in times and times[quickest] > _CLEARLY_FASTER * times[preferred]:
            return preferred
        return quickest

    def _by_loss(self, recipes: Sequence[Recipe]) -> list[Recipe]:
        losses: dict[str, float] = {}
        unique = {recipe.key: recipe for recipe in reversed(recipes)}
        for recipe in unique.values():
            self._begin(f"running {recipe.name}")
            losses[recipe.key] = self.bench.loss(recipe)
            self._say(f"{recipe.name}: {losses[recipe.key]:.2e} lost")
        return sorted(unique.values(), key=lambda recipe: losses[recipe.key])

    def _revert(self, start: Recipe) -> None:
        """Find the shortest prefix of the layers, most harmful first, whose return to float keeps the budget.

        By galloping and then by binary search (Bentley and Yao, 1976); all of the layers in float are not INT8 at all.
        """
        ranking = self._ranking(start)
        low, high = 0, 1  # with `low` in float it fails; mostly few layers do the harm, so the first steps are short
        while high < len(ranking) and not self._passes(self._without(start, ranking[:high])):
            low, high = high, min(2 * high, len(ranking))
        while high - low > 1:
            middle = (low + high) // 2
            if self._passes(self._without(start, ranking[:middle])):
                high = middle
            else:
                low = middle
        self._add_back(start, ranking[:high])

    def _ranking(self, start: Recipe) -> list[_Group]:
        """The groups by their harm: the loss with nothing but the group quantized."""
        if not self.workshop.knows_rounding:
            self.workshop.store_by({name: stored(p, self._begin) for name, p in self.parts.items()})
        found = [(part, source) for part, p in self.parts.items() for source in by_source(p.products)]
        # What storage in INT8 costs, all candidates pay: it is not the layer's harm.
        nothing = Recipe("weights alone", Arithmetic.INT8, start.engine, {})
        small = {part: self.bench.harm(nothing, part) for part in self.parts}
        for number, (part, source) in enumerate(found, 1):
            members = {product.id for product in by_source(self.parts[part].products)[source]}
            only = {part: {id_: s for id_, s in start.schemes.get(part, {}).items() if id_ in members}}
            if not only[part]:
                continue
            recipe = Recipe(f"{source} alone", Arithmetic.INT8, start.engine, only)
            self._begin(f"ranking layer {number} of {len(found)}")
            self.harm[part, source] = max(0.0, self.bench.harm(recipe, part) - small[part])
            self._say(f"layer {number} of {len(found)}, {source}: {self.harm[part, source]:.2e} lost")
        return sorted((group for group in found if group in self.harm), key=lambda group: -self.harm[group])

    def _add_back(self, start: Recipe, reverted: Sequence[_Group]) -> None:
        """Try the reverted layers in INT8 again, many at once, and where that fails the halves of them.

        A prefix is short only as far as harm and the task's figures agree. Where the figures see what a few layers far
        down the ranking do, the rest of the prefix comes back this way (delta debugging, Zeller and Hildebrandt, 2002).
        """
        floating = list(reverted)
        by_gain = sorted(floating, key=lambda group: -self._work(group) / max(self.harm[group], 1e-12))
        waiting = deque(_halves(by_gain))
        trials = 0
        while waiting and trials < _ADDED_BACK:
            together = waiting.popleft()
            fewer = [group for group in floating if group not in together]
            recipe = self._without(start, fewer)
            trials += recipe.key not in self.points
            if self._passes(recipe):
                floating = fewer
            else:
                waiting.extend(_halves(together))

    def _work(self, group: _Group) -> int:
        """Elements of a group's weights: what a product costs goes with them, whatever the machine does meanwhile."""
        part, source = group
        return sum(math.prod(product.shape) for product in by_source(self.parts[part].products)[source])

    def _passes(self, recipe: Recipe) -> bool:
        try:
            passed = self._try(recipe).passed
        except EngineRefused as error:
            self._refuse(recipe, error)
            return False
        if passed:
            self.best = recipe
        return passed

    def _try(self, recipe: Recipe) -> Point:
        """Judge and time a recipe, and put it on the curve. Raises EngineRefused."""
        best = "none yet" if self.best is None else self.best.name
        self._begin(f"judging {recipe.name}; best so far: {best}")
        point = self.bench.point(recipe)
        self.points[recipe.key] = point
        self._say(
            f"{recipe.name}: {point.loss:.2f} of the accuracy budget, {point.latency_ratio:.2f} of float's time, "
            f"{point.size_ratio:.2f} of its size"
        )
        return point

    def _without(self, recipe: Recipe, floating: Collection[_Group]) -> Recipe:
        """The recipe with the products that read `floating` in float."""
        schemes = {
            part: {
                product.id: recipe.schemes[part][product.id]
                for product in p.products
                if product.id in recipe.schemes.get(part, {}) and (part, product.source) not in floating
            }
            for part, p in self.parts.items()
        }
        return replace(recipe, schemes=schemes, floating=len(floating))

    def _begin(self, message: str) -> None:
        """Say what is done next. Raises OutOfTime where there is no time left for it."""
        self._check_time()
        self._say(message)

    def _check_time(self) -> None:
        """Raises OutOfTime; not before the first candidate was judged, or a short limit would never lead to INT8."""
        if self.points and self.deadline is not None and time.monotonic() > self.deadline:
            raise OutOfTime

    def _say(self, message: str) -> None:
        self.reporter.step("search", message)


def _halves(groups: Sequence[_Group]) -> list[Sequence[_Group]]:
    middle = len(groups) // 2
    return [groups[:middle], groups[middle:]] if middle else []
