"""The conversions of the tasks whose engines have formats of their own: a ladder of precisions in place of a search."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from converters import decision, lineage
from converters.job import Converted, Job, Measured
from converters.samples import uploaded
from converters.samples.conversations import CALIBRATION
from converters.samples.uploaded_audio import audio
from converters.steps import accuracy
from converters.subject import Split
from converters.tasks import chat, transcription, transcription_ladder
from converters.tasks.finish import RUNTIME
from registry.spec import chat as chat_spec
from registry.spec import transcription as transcription_spec
from registry.spec.certificate import Arithmetic, Engine, Lowering, Precision
from registry.spec.hardware import hardware_class

_ALONE = 1  # an answer is written token by token; requests are not gathered into a batch of the graph


def convert_transcription(job: Job) -> Converted:
    """Whisper in CTranslate2's format."""
    request, spec = job.request, transcription_spec
    job.reporter.step("load", "opening the original model", 0.05)
    own = uploaded.find(request.source)
    clips = audio(own, spec.RATE, request.seed) if own is not None else None
    subject = transcription.open_subject(request.source, request.seed, request.threads, clips)
    asked_float = request.precision is Precision.FLOAT32
    found = transcription_ladder.convert(
        request.source,
        job.scratch("rungs"),
        subject,
        accuracy.bounds(spec.TASK, request.budget),
        job.reporter,
        seed=request.seed,
        threads=request.threads,
        ladder=transcription_ladder.LADDER[-1:] if asked_float else transcription_ladder.LADDER,
    )
    job.reporter.step("publish", "writing the files that serve", 0.95)
    _place(found.directory, job.model)
    _write_runtime(job, spec.TASK.name, {"compute_type": found.compute_type}, found.decision.arithmetic)
    return Converted(found.decision, found.measured, spec.signature(), _ALONE)


def convert_chat(job: Job) -> Converted:
    """A decoder for onnxruntime-genai: INT8 where it keeps the budget and is twice as fast, else float."""
    request = job.request
    settings = chat.Settings(request.threads, request.seed, request.budget)
    found = chat.convert(request.source, job.scratch("chat"), settings, job.reporter.step)
    wanted = request.precision is Precision.INT8
    short = decision.failing(found.int8.accuracy)
    slow = "" if found.int8.passed or short else f"it takes {decision.ratios(found.int8.latency)} of float's time"
    quantized = wanted and not short and not slow
    job.reporter.step("publish", "writing the files that serve", 0.95)
    _place(found.int8.directory if quantized else found.floating, job.model)
    if quantized:
        verdict = decision.certified(found.int8.arithmetic, found.int8.latency, found.int8.size, [])
    else:
        why = f"INT8: {short or slow}" if wanted else "the owner asked for float32"
        verdict = decision.certified(Arithmetic.FLOAT32, [], None, [why])
    _write_runtime(job, chat_spec.TASK.name, {}, verdict.arithmetic)
    shutil.copytree(found.int4.directory, job.output / "int4")
    measured = Measured(
        accuracy=found.int8.accuracy if quantized else [],
        latency=found.int8.latency if quantized else [],
        size=found.int8.size if quantized else None,
        curve=found.curve,
        lowerings=[_offered(found.int4)],
        calibration=found.data[CALIBRATION],
        selection=found.data[Split.SELECTION],
        held_out=found.data[Split.HELD_OUT],
        engine=Engine.GENAI,
    )
    return Converted(verdict, measured, chat_spec.signature(), _ALONE)


def _offered(variant: chat.Variant) -> Lowering:
    """The INT4 decoder, which lies beside the one that serves, with what was measured of it."""
    figures = ", ".join(f"{m.name} {m.value:.4f} [{m.low:.4f}, {m.high:.4f}]" for m in variant.accuracy)
    share = variant.size.quantized_bytes / variant.size.float_bytes
    return Lowering(
        target="onnxruntime-genai, INT4 weights (directory int4)",
        status="measured",
        detail=f"{variant.name}: {figures}; time over float's {decision.ratios(variant.latency)}; size {share:.3f}",
        sha256=lineage.combined(lineage.digests("int4", variant.directory)),
    )


def _place(source: Path, target: Path) -> None:
    for path in sorted(source.iterdir()):
        if path.is_file():
            shutil.copyfile(path, target / path.name)


def _write_runtime(job: Job, task: str, settings: Mapping[str, Any], arithmetic: Arithmetic) -> None:
    certified_for = "" if arithmetic is Arithmetic.FLOAT32 else hardware_class()
    content = {**settings, "task": task, "hardware_class": certified_for}
    text = json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False)
    (job.model / RUNTIME).write_text(text + "\n", encoding="utf-8")
