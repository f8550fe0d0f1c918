"""From a subject to what is published: search, then the finalists on held-out data until one has no objection."""

from __future__ import annotations

import hashlib
import logging
import shutil
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
from converters.search.bench import FLOAT, Bench, Judgement
from converters.search.journal import Journal
from converters.search.observations import observations
from converters.search.recipe import Recipe
from converters.search.schemes import Part, part, stored
from converters.search.search import Search
from converters.search.workshop import Candidate, Workshop
from converters.steps import accuracy, audit, prepare
from converters.steps.lint import CanonicalInvalid
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
        self._floating = {name: prepare.clean(model) for name, model in subject.graphs.items()}
        self._prepared = self._prepare() if job.request.precision is Precision.INT8 else {}
        self._workshop = Workshop(self._floating, self._prepared, job.scratch("candidates"))
        job.cache.mkdir(parents=True, exist_ok=True)
        journal = Journal(job.cache / "journal.jsonl", self._scope())
        log.info("%d findings of an earlier attempt", journal.known)
        self._bench = Bench(
            subject,
            self._workshop,
            journal,
            task.criteria,
            accuracy.bounds(task, job.request.budget),
            threads=job.request.threads,
            seed=job.request.seed,
        )
        self._search: Search | None = None

    def run(self) -> Certified:
        """Examine the finalists in turn; the last is float, and to that there is only one objection."""
        examined = None
        for earlier, recipe in enumerate(self._finalists()):
            self._job.reporter.step("finalist", f"judging {recipe.name} on held-out data", None)
            examined = self._examine(recipe, accuracy.confidence_after(earlier))
            if examined.objection is None:
                break
            self._notes.append(f"{_sentence(recipe)}: {examined.objection}")
        assert examined is not None, "float is always a finalist"
        return self._papers(examined)

    def _prepare(self) -> dict[str, onnx.ModelProto]:
        try:
            scratch = self._job.scratch("prepare")
            return {name: prepare.prepare(model, scratch) for name, model in self._floating.items()}
        except ValueError as error:
            self._notes.append(f"INT8 is not possible: {error}")
            return {}

    def _finalists(self) -> Iterator[Recipe]:
        if self._prepared:
            parts = self._parts()
            if any(p.products for p in parts.values()):
                best = self._searched(parts)
                if best is not None:
                    yield best
                    if self._search is not None and not self._search.out_of_time:
                        yield from self._search.safer(best)
                else:
                    self._notes.append(self._no_candidate())
                if any(product.operator == "MatMul" for p in parts.values() for product in p.products):
                    yield _DYNAMIC
            else:
                self._notes.append("the graph has no product with constant FP32 weights to quantize")
            if self._search is None or not self._search.harm:
                self._job.reporter.step("weights", "rounding the weights for float arithmetic")
                self._workshop.store_by({name: stored(p) for name, p in parts.items()})
            yield _WEIGHTS
        elif self._job.request.precision is Precision.FLOAT32:
            self._notes.append("the owner asked for float32")
        yield FLOAT

    def _parts(self) -> dict[str, Part]:
        self._job.reporter.step("calibrate", f"calibrating on {self._subject.data['calibration'].samples} samples", 0.3)
        observed = observations(self._prepared, self._subject, self._job)
        return {name: part(model, observed.get(name, {})) for name, model in self._prepared.items()}

    def _searched(self, parts: dict[str, Part]) -> Recipe | None:
        engines = [Engine.ONNXRUNTIME, *([Engine.OPENVINO] if find_spec("openvino") is not None else [])]
        limit = self._job.request.time_limit
        deadline = None if limit is None else time.monotonic() + limit - self._job.reporter.elapsed
        self._search = Search(parts, self._workshop, self._bench, engines, self._job.reporter, deadline)
        return self._search.run()

    def _no_candidate(self) -> str:
        assert self._search is not None
        if self._search.out_of_time:
            return "no INT8 candidate was within the accuracy budget when the time limit was reached"
        return "no INT8 candidate keeps the accuracy budget, however many layers are left in float"

    def _examine(self, recipe: Recipe, confidence: float) -> _Examined:
        judgement = self._bench.judge(recipe, Split.HELD_OUT, confidence)
        candidate = self._workshop.make(recipe)
        operators = audit.audit(
            candidate.directory,
            candidate.parts,
            recipe.engine,
            exact_x86=candidate.exact_x86,
            scratch=self._job.scratch("audit"),
        )
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
            calibration=data["calibration"] if self._search else None,
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
            verdict = decision.certified(arithmetic, examined.latency, size, self._notes)
        return Certified(self._workshop.make(recipe), verdict, measured)

    def _curve(self, chosen: Recipe) -> list[Point]:
        points = dict(self._search.points) if self._search else {}
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

    def _scope(self) -> str:
        """What all findings depend on."""
        request = self._job.request
        source = lineage.combined(lineage.digests("source", request.source))
        data = [entry.sha256 for entry in self._subject.data.values()]
        graphs = [hashlib.sha256(model.SerializeToString()).hexdigest() for model in self._floating.values()]
        asked = f"{request.task} {request.seed} {sorted(request.budget.items())}"
        return lineage.scope([source, *data, *graphs, asked])


def tensorrt(canonical: onnx.ModelProto, part: str, scratch: Path) -> list[Lowering]:
    """What could be found out here about the canonical file of a part as a TensorRT plan; a refusal is an answer."""
    from converters.tensorrt.legality import examine

    try:
        found = examine(canonical, scratch)
    except (CanonicalInvalid, ConversionFailed, ValueError) as error:
        return [Lowering(target=f"TensorRT plan, {part}", status="refused", detail=str(error)[:500], sha256=None)]
    return [lowering.model_copy(update={"target": f"{lowering.target}, {part}"}) for lowering in found]


def place(candidate: Candidate, directory: Path) -> None:
    """Copy a candidate's files to where what serves is gathered."""
    for path in sorted(candidate.directory.iterdir()):
        shutil.copyfile(path, directory / path.name)


def _sentence(recipe: Recipe) -> str:
    return f"{'INT8, ' if recipe.arithmetic is Arithmetic.INT8 else ''}{recipe.name}"
