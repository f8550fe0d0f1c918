"""The conversions of the tasks whose engines have formats of their own: a ladder of precisions in place of a search."""

from __future__ import annotations

import shutil

from converters import decision, lineage
from converters.decision import Decision
from converters.job import Converted, Job, Measured
from converters.samples import uploaded
from converters.samples.conversations import CALIBRATION
from converters.samples.uploaded_audio import audio
from converters.steps import accuracy
from converters.subject import Split
from converters.tasks import chat, transcription, transcription_ladder
from converters.tasks.chat_ladder import ChatConverted, Variant
from converters.tasks.finish import place, write_runtime
from registry.spec import chat as chat_spec
from registry.spec import transcription as transcription_spec
from registry.spec.certificate import Arithmetic, Engine, Lowering, Precision
from registry.spec.hardware import hardware_class
from registry.spec.task import Task

_ALONE = 1  # an answer is written token by token; requests are not gathered into a batch of the graph


def convert_transcription(job: Job) -> Converted:
    """Whisper in CTranslate2's format."""
    request, spec = job.request, transcription_spec
    limits = accuracy.bounds(spec.TASK, request.budget)  # refused before anything is done
    job.reporter.step("load", "opening the original model", 0.05)
    own = uploaded.find(request.source)
    clips = audio(own, spec.RATE, request.seed) if own is not None else None
    subject = transcription.open_subject(request.source, request.seed, request.threads, clips)
    ladder = transcription_ladder.LADDER
    asked_float = request.precision is Precision.FLOAT32
    found = transcription_ladder.convert(job, subject, limits, ladder[-1:] if asked_float else ladder)
    job.reporter.step("publish", "writing the files that serve", 0.95)
    place(found.directory, job.model)
    _write_runtime(job, spec.TASK, found.decision, compute_type=found.compute_type)
    return Converted(found.decision, found.measured, spec.signature(), _ALONE)


def convert_chat(job: Job) -> Converted:
    """A decoder for onnxruntime-genai: INT8 where it keeps the budget and is twice as fast, else float."""
    found = chat.convert(job)
    served = found.floating or found.int8
    assert served is not None, "float is judged where INT8 is not published"
    verdict = _verdict(job, found, served)
    job.reporter.step("publish", "writing the files that serve", 0.95)
    place(served.directory, job.model)
    _write_runtime(job, chat_spec.TASK, verdict)
    if found.int4 is not None:
        shutil.copytree(found.int4.directory, job.output / "int4")
    measured = Measured(
        accuracy=served.accuracy,
        latency=served.latency,
        size=served.size if served.arithmetic is not Arithmetic.FLOAT32 else None,
        curve=found.curve,
        lowerings=[_offered(found.int4)] if found.int4 is not None else [],
        calibration=found.data[CALIBRATION] if found.curve else None,
        selection=found.data[Split.SELECTION] if found.curve else None,
        held_out=found.data[Split.HELD_OUT],
        engine=Engine.GENAI,
    )
    return Converted(verdict, measured, chat_spec.signature(), _ALONE)


def _verdict(job: Job, found: ChatConverted, served: Variant) -> Decision:
    if served.objection is not None:
        return decision.rejected(served.arithmetic, decision.failing(served.accuracy))
    if served.arithmetic is not Arithmetic.FLOAT32:
        return decision.certified(served.arithmetic, served.latency, served.size, [])
    if job.request.precision is Precision.FLOAT32:
        why = "the owner asked for float32"
    elif found.int8 is None:
        why = "the time limit was reached before INT8 was tried"
    else:
        why = f"INT8: {found.int8.objection}"
        if found.cut_short:
            why += ", and the time limit was reached"
    return decision.certified(served.arithmetic, [], None, [why])


def _offered(variant: Variant) -> Lowering:
    """The INT4 decoder, which lies beside the one that serves, with what was measured of it."""
    figures = ", ".join(f"{m.name} {m.value:.4f} [{m.low:.4f}, {m.high:.4f}]" for m in variant.accuracy)
    share = variant.size.quantized_bytes / variant.size.float_bytes
    return Lowering(
        target="onnxruntime-genai, INT4 weights (directory int4)",
        status="measured",
        detail=f"{variant.name}: {figures}; time over float's {decision.ratios(variant.latency)}; size {share:.3f}",
        sha256=lineage.combined(lineage.digests("int4", variant.directory)),
    )


def _write_runtime(job: Job, task: Task, verdict: Decision, **settings: str) -> None:
    write_runtime(job, task, settings, "" if verdict.arithmetic is Arithmetic.FLOAT32 else hardware_class())
