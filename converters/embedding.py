"""The conversion of a text encoder: reference, float graph, INT8 graph, measurement, decision."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from converters import decision, probe
from converters.decision import Decision
from converters.errors import ConversionFailed
from converters.job import Converted, Job, Measured
from converters.original import Original, original
from converters.samples.text import Texts, calibration_texts, held_out_texts, own_texts
from converters.steps import accuracy, audit, batches, calibrate, canonical, hardware, latency, lint, lower_x86, prepare
from registry.spec.certificate import Latency, Metric, Precision, Size
from registry.spec.embedder import Embedder
from registry.spec.embedding import signature
from registry.spec.runtime import EmbeddingRuntime, write
from registry.spec.text import TextEncoder

MAX_BATCH = 64  # rows Triton may gather; the runtime caps a run by tokens on top of that

OWN_TEXTS = "calibration.txt"


@dataclass(frozen=True)
class Candidate:
    """A directory as it would serve: model.onnx, tokenizer.json and runtime.json."""

    directory: Path
    settings: EmbeddingRuntime

    @property
    def graph(self) -> Path:
        """The graph that would serve."""
        return self.directory / "model.onnx"


def convert(job: Job) -> Converted:
    """Convert the encoder of `job` and decide what is published. Raises SourceInvalid or ConversionFailed."""
    job.reporter.step("samples", "collecting texts to calibrate with and to judge on", 0.02)
    texts = _calibration(job)
    held_out = held_out_texts(job.request.seed, texts)
    job.reporter.step("load", "opening the original model", 0.06)
    source = original(job)
    floating = _candidate(job, "float", source.graph, source, exact_x86=False)
    job.reporter.step("reference", f"reading {len(held_out.texts)} texts with the original in FP32", 0.3)
    reference = source.embed(held_out.texts)
    source.close()
    chosen, measured, verdict = _choose(job, floating, texts, held_out, reference)
    job.reporter.step("publish", "writing the files that serve", 0.95)
    shutil.copytree(chosen.directory, job.model, dirs_exist_ok=True)
    probe.write_embedding(job.probe, Embedder(job.model, chosen.settings, job.request.threads))
    return Converted(verdict, measured, signature(chosen.settings.dimensions), MAX_BATCH)


def _choose(
    job: Job, floating: Candidate, texts: Texts, held_out: Texts, reference: NDArray[np.float32]
) -> tuple[Candidate, Measured, Decision]:
    size = floating.graph.stat().st_size
    why = "the owner asked for float32"
    latencies = []
    if job.request.precision is Precision.INT8:
        quantized, products = _quantize(job, floating, texts)
        why = "the graph has no product with constant FP32 weights to quantize"
        if quantized is not None:
            job.reporter.step("accuracy", "judging INT8 against the original", 0.7)
            metrics = _judge(job, quantized, held_out, reference)
            job.reporter.step("latency", "timing INT8 against float", 0.82)
            latencies = _latencies(job, floating, quantized)
            operators = audit.audit(
                quantized.graph, exact_x86=quantized.settings.exact_x86, scratch=job.scratch("audit")
            )
            slow = decision.why_floating(metrics, latencies, fused=audit.runs_quantized(operators, products))
            if slow is None:
                sizes = Size(float_bytes=size, quantized_bytes=quantized.graph.stat().st_size)
                measured = Measured(metrics, latencies, sizes, operators, texts.data(), held_out.data())
                return quantized, measured, decision.quantized(metrics, latencies)
            why = slow
    job.reporter.step("accuracy", "judging the float graph against the original", 0.88)
    measured = Measured(_judge(job, floating, held_out, reference), latencies, None, None, None, held_out.data())
    return floating, measured, decision.floating(measured.accuracy, why)


def _calibration(job: Job) -> Texts:
    own = job.request.source / OWN_TEXTS
    return own_texts(own) if own.is_file() else calibration_texts(job.request.seed)


def _candidate(job: Job, name: str, graph: onnx.ModelProto, source: Original, *, exact_x86: bool) -> Candidate:
    """Lay a directory out as it would serve."""
    text = job.facts.text
    assert text is not None
    settings = EmbeddingRuntime(
        inputs=source.inputs,
        output=source.output,
        dimensions=source.dimensions,
        max_tokens=text.max_tokens,
        pooling=text.pooling,
        normalize=text.normalize,
        exact_x86=exact_x86,
    )
    return _lay_out(job, name, graph, settings)


def _lay_out(job: Job, name: str, graph: onnx.ModelProto, settings: EmbeddingRuntime) -> Candidate:
    directory = job.scratch(name)
    onnx.save(graph, directory / "model.onnx")
    shutil.copyfile(job.request.source / "tokenizer.json", directory / "tokenizer.json")
    write(settings, directory / "runtime.json")
    return Candidate(directory, settings)


def _quantize(job: Job, floating: Candidate, texts: Texts) -> tuple[Candidate | None, int]:
    """The INT8 candidate and its quantized products; None where there is nothing to quantize."""
    try:
        prepared = prepare.prepare(onnx.load(floating.graph))
    except ValueError as error:
        raise ConversionFailed(f"INT8 is not possible: {error}.", "Export the model with opset 20.") from error
    job.reporter.step("calibrate", f"calibrating on {len(texts.texts)} texts", 0.45)
    settings = floating.settings
    tokens = TextEncoder(floating.directory / "tokenizer.json", settings.max_tokens).encode(list(texts.texts))
    feeds = (
        batches.feeds([tokens[row] for row in rows], settings.inputs) for rows in batches.by_length(tokens, slack=0)
    )
    observed = calibrate.observe(prepared, feeds, job.request.threads, job.scratch("calibrate"))
    if not observed:
        return None, 0
    job.reporter.step("quantize", f"quantizing {len(observed)} products", 0.62)
    result = canonical.quantize(prepared, observed)
    lint.check(result.model)
    job.canonical.mkdir()
    onnx.save(result.model, job.canonical / "model.onnx")
    lowered = lower_x86.lower(result.model)
    exact = EmbeddingRuntime(**{**vars(settings), "exact_x86": hardware.saturates()})
    return _lay_out(job, "int8", lowered, exact), result.products


def _judge(job: Job, candidate: Candidate, held_out: Texts, reference: NDArray[np.float32]) -> list[Metric]:
    vectors, _ = Embedder(candidate.directory, candidate.settings, job.request.threads).embed(list(held_out.texts))
    return accuracy.judge(reference, vectors, job.request.budget, job.request.seed)


def _latencies(job: Job, floating: Candidate, quantized: Candidate) -> list[Latency]:
    settings = quantized.settings
    return latency.measure(
        floating.graph,
        quantized.graph,
        settings.inputs,
        settings.max_tokens,
        exact_x86=settings.exact_x86,
        seed=job.request.seed,
    )
