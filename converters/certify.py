"""From a subject to what is published: search, then the finalists on held-out data until one has no objection."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import onnx

from converters import decision, lineage
from converters.decision import Decision
from converters.errors import ConversionFailed
from converters.job import Job, Measured
from converters.search.bench import FLOAT, Bench, Judgement, float_refused, point_of
from converters.search.journal import Journal
from converters.search.observations import observations
from converters.search.recipe import Recipe
from converters.search.schemes import Part, part, stored
from converters.search.search import Search
from converters.search.workshop import Candidate, Workshop
from converters.steps import accuracy, audit, prepare, quantizable
from converters.steps.lint import CanonicalInvalid
from converters.steps.run import EngineRefused
from converters.subject import Split, Subject
from registry.spec.certificate import Arithmetic, Engine, Latency, Lowering, Operators, Point, Precision, Size
from registry.spec.hardware import hardware_class
from registry.spec.task import Task

log = logging.getLogger(__name__)

_WEIGHTS = Recipe("INT8 weights, float arithmetic", Arithmetic.INT8_WEIGHTS, Engine.ONNXRUNTIME, {})
_DYNAMIC = Recipe("dynamic INT8", Arithmetic.INT8_DYNAMIC, Engine.ONNXRUNTIME, {})


@dataclass(frozen=True)
class Certified:
    """The candidate that a decision is about, and everything that was measured of it."""

    candidate: Candidate
    decision: Decision
    measured: Measured

    @property
    def hardware_class(self) -> str:
        """The only class of processors that the candidate may serve on, empty for float, which may on all."""
        return "" if self.decision.arithmetic is Arithmetic.FLOAT32 else hardware_class()


@dataclass(frozen=True)
class _Examined:
    """A finalist on held-out data."""

    recipe: Recipe
    judgement: Judgement
    latency: list[Latency]
    size: Size
    operators: Operators
    objection: str | None


def certify(job: Job, subject: Subject, task: Task) -> Certified:
    """Find what of `subject` is to be published. Raises SourceInvalid for a budget that the task does not know."""
    return _Certification(job, subject, task).run()


class _Certification:
    """One certification: the search, the finalists, the papers."""

    def __init__(self, job: Job, subject: Subject, task: Task) -> None:
        self._job = job
        self._subject = subject
        self._notes: list[str] = []
        limits = accuracy.bounds(task, job.request.budget)  # refused before anything is done
        self._floating = {name: prepare.clean(model) for name, model in subject.graphs.items()}
        self._prepared = self._prepare() if job.request.precision is Precision.INT8 else {}
        self._workshop = Workshop(self._floating, self._prepared, job.scratch("candidates"))
        job.cache.mkdir(parents=True, exist_ok=True)
        self._scope = self._digest()
        journal = Journal(job.cache / "journal.jsonl", self._scope)
        log.info("%d findings of an earlier attempt", journal.known)
        self._bench = Bench(
            subject,
            self._workshop,
            journal,
            task.criteria,
            limits,
            threads=job.request.threads,
            seed=job.request.seed,
        )
        self._search: Search | None = None
        self._inaccurate = False
        self._examined: list[_Examined] = []

    def run(self) -> Certified:
        """Examine the finalists in turn; the last is float, and to that there is only one objection."""
        examined = None
        for earlier, recipe in enumerate(self._finalists()):
            self._job.reporter.step("finalist", f"judging {recipe.name} on held-out data", None)
            try:
                examined = self._examine(recipe, accuracy.confidence_after(earlier))
            except EngineRefused as error:
                if recipe == FLOAT:
                    raise float_refused(error) from error
                log.info("%s is refused", recipe.name, exc_info=True)
                self._inaccurate = False
                self._notes.append(f"{_sentence(recipe)}: {recipe.engine} refuses it: {error.brief}")
                continue
            self._examined.append(examined)
            if examined.objection is None:
                break
            self._inaccurate = not examined.judgement.passed
            self._notes.append(f"{_sentence(recipe)}: {examined.objection}")
        assert examined is not None, "float is always a finalist"
        return self._papers(examined)

    def _prepare(self) -> dict[str, onnx.ModelProto]:
        try:
            scratch = self._job.scratch("prepare")
            return {name: prepare.prepare(model, scratch) for name, model in self._floating.items()}
        except prepare.OpsetUnsupported as error:
            self._notes.append(f"INT8 is not possible: {error}")
        except EngineRefused as error:
            self._notes.append(f"INT8 is not possible: ONNX Runtime does not open the graph: {error.brief}")
        return {}

    def _finalists(self) -> Iterator[Recipe]:
        if self._prepared:
            yield from self._quantized()
        elif self._job.request.precision is Precision.FLOAT32:
            self._notes.append("the owner asked for float32")
        yield FLOAT

    def _quantized(self) -> Iterator[Recipe]:
        """In integers where the graph can be, then with weights in INT8 alone."""
        why = next(filter(None, map(quantizable.why_not, self._prepared.values())), None)
        parts = self._parts()
        if why is not None:
            self._notes.append(f"INT8 is not possible: {why}")
        elif any(p.products for p in parts.values()):
            yield from self._in_integers(parts)
        else:
            self._notes.append("the graph has no product with constant FP32 weights to quantize")
        if not self._workshop.knows_rounding:
            self._workshop.store_by({name: stored(p, self._say_weights) for name, p in parts.items()})
        yield _WEIGHTS

    def _in_integers(self, parts: dict[str, Part]) -> Iterator[Recipe]:
        """The best that the search finds, the same with more of it in float while it is not accurate, dynamic INT8."""
        self._search = search = self._new_search(parts)
        best = search.run()
        if best is None:
            self._notes.append(_no_candidate(search))
        else:
            yield best
            safer = search.safer(best)
            while self._inaccurate and (recipe := next(safer, None)) is not None:
                yield recipe
        if any(product.operator == "MatMul" for p in parts.values() for product in p.products):
            yield _DYNAMIC

    def _say_weights(self, message: str) -> None:
        self._job.reporter.step("weights", message)

    def _parts(self) -> dict[str, Part]:
        self._job.reporter.step("calibrate", f"calibrating on {self._subject.data['calibration'].samples} samples", 0.3)
        observed = observations(self._prepared, self._subject, self._job, self._scope)
        return {name: part(model, observed.get(name, {})) for name, model in self._prepared.items()}

    def _new_search(self, parts: dict[str, Part]) -> Search:
        engines = [Engine.ONNXRUNTIME, *([Engine.OPENVINO] if find_spec("openvino") is not None else [])]
        limit = self._job.request.time_limit
        deadline = None if limit is None else time.monotonic() + limit - self._job.reporter.elapsed
        return Search(parts, self._workshop, self._bench, engines, self._job.reporter, deadline)

    def _examine(self, recipe: Recipe, confidence: float) -> _Examined:
        judgement = self._bench.judge(recipe, Split.HELD_OUT, confidence)
        candidate = self._workshop.make(recipe)
        operators = self._workshop.operators(recipe)
        size = Size(float_bytes=self._bench.size(FLOAT), quantized_bytes=candidate.size)
        latency = [] if recipe == FLOAT else self._bench.latency(recipe)
        fused = audit.runs_quantized(operators, recipe.products)
        objection = decision.objection(recipe.arithmetic, judgement.metrics, latency, size, fused=fused)
        return _Examined(recipe, judgement, latency, size, operators, objection)

    def _papers(self, examined: _Examined) -> Certified:
        recipe, arithmetic = examined.recipe, examined.recipe.arithmetic
        quantized = arithmetic is not Arithmetic.FLOAT32
        data = self._subject.data
        measured = Measured(
            accuracy=examined.judgement.metrics,
            latency=examined.latency,
            size=examined.size if quantized else None,
            operators=examined.operators if quantized else None,
            curve=self._curve(recipe),
            layers=self._search.layers(recipe) if self._search else [],
            calibration=data["calibration"] if self._prepared else None,
            selection=data[Split.SELECTION] if self._search else None,
            held_out=data[Split.HELD_OUT],
            engine=recipe.engine,
        )
        if arithmetic is Arithmetic.INT8:
            measured = replace(measured, lowerings=[*self._keep_canonical(recipe)])
        if examined.objection is not None:
            verdict = decision.rejected(arithmetic, decision.failing(examined.judgement.metrics))
        else:
            size = examined.size if quantized else None
            verdict = decision.certified(arithmetic, examined.latency, size, self._notes, recipe.name)
        return Certified(self._workshop.make(recipe), verdict, measured)

    def _curve(self, chosen: Recipe) -> list[Point]:
        """What the search tried, and the finalists; who failed on held-out data has not passed."""
        points = dict(self._search.points) if self._search else {}
        for examined in self._examined:
            if examined.recipe != FLOAT:
                point = points.get(examined.recipe.key, _point(examined))
                passed = point.passed and examined.judgement.passed
                points[examined.recipe.key] = point.model_copy(update={"passed": passed})
        return [point.model_copy(update={"chosen": key == chosen.key}) for key, point in points.items()]

    def _keep_canonical(self, recipe: Recipe) -> Iterator[Lowering]:
        """Keep the canonical files, and say of each what a GPU would make of it where that was asked for."""
        self._job.canonical.mkdir()
        for name in self._workshop.parts:
            model = self._workshop.canonical(recipe, name)
            onnx.save(model, self._job.canonical / f"{name}.onnx")
            if self._job.request.check_tensorrt:
                self._job.reporter.step("tensorrt", f"compiling the canonical file of {name} with TensorRT-RTX")
                yield from tensorrt(model, name, self._job.scratch("tensorrt"))

    def _digest(self) -> str:
        """A digest of what all findings depend on."""
        data = [entry.sha256 for entry in self._subject.data.values()]
        graphs = [hashlib.sha256(model.SerializeToString()).hexdigest() for model in self._floating.values()]
        return lineage.findings(self._job.request, [*data, *graphs])


def tensorrt(canonical: onnx.ModelProto, part: str, scratch: Path) -> list[Lowering]:
    """What could be found out here about the canonical file of a part as a TensorRT plan; a refusal is an answer."""
    from converters.tensorrt.legality import examine

    try:
        found = examine(canonical, scratch)
    except (CanonicalInvalid, ConversionFailed, ValueError) as error:
        return [Lowering(target=f"TensorRT plan, {part}", status="refused", detail=str(error)[:500], sha256=None)]
    return [lowering.model_copy(update={"target": f"{lowering.target}, {part}"}) for lowering in found]


def _point(examined: _Examined) -> Point:
    """A finalist that the search had not tried, by its held-out data."""
    size = examined.size.quantized_bytes / examined.size.float_bytes
    return point_of(examined.recipe, examined.judgement, examined.latency, size)


def _no_candidate(search: Search) -> str:
    """Why a search found nothing, as a clause."""
    if search.refusal is not None:
        return f"no engine here takes the graph in INT8: {search.refusal}"
    if search.out_of_time:
        judged = f"{len(search.points)} INT8 candidate{'s' if len(search.points) > 1 else ''}"
        return f"none of the {judged} that the time limit left time for keeps the accuracy budget: allow more time"
    return "no INT8 candidate keeps the accuracy budget, however many layers are left in float"


def _sentence(recipe: Recipe) -> str:
    return f"{'INT8, ' if recipe.arithmetic is Arithmetic.INT8 else ''}{recipe.name}"
