"""`make bench-int8 [MODEL=minilm]`: convert the samples, hold each against its bars, and MiniLM against its rivals."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.int8 import verdict
from benchmarks.int8.samples import MODELS
from converters.child import Limits, Progress, convert
from converters.request import ConversionRequest
from registry.certificates.document import Document
from registry.certificates.page import page
from registry.spec.certificate import Certificate

_RESULTS = Path(__file__).parents[1] / "results" / "int8"
_LIMITS = Limits(seconds=3 * 3600, memory_bytes=12 * 1024**3)


def main() -> None:
    """Convert what is asked for, print one table, keep certificates and numbers in `benchmarks/results/int8`."""
    parser = argparse.ArgumentParser(prog="benchmarks.int8", description=__doc__)
    parser.add_argument("--model", choices=tuple(MODELS), action="append", help="only this one; may be repeated")
    parser.add_argument("--again", action="store_true", help="forget earlier results; an interrupted one goes on")
    arguments = parser.parse_args()
    failed = 0
    for name in arguments.model or MODELS:
        certificate = _certificate(name, again=arguments.again)
        failed += _print(name, certificate)
        if name == "piper":
            _print_intelligibility(_RESULTS / name)
    if "minilm" in (arguments.model or MODELS):
        _print_rivals()
    print(f"\n{failed} bars do not hold" if failed else "\nall bars hold")


def _certificate(name: str, *, again: bool) -> Certificate:
    directory = _RESULTS / name
    kept = directory / "certificate.json"
    if again:
        shutil.rmtree(directory, ignore_errors=True)
    if not kept.exists():
        certificate = asyncio.run(_convert(name, directory))
        document = Document(certificate.model_dump(mode="json"), None)
        (directory / "certificate.html").write_text(page(document), encoding="utf-8")
        kept.write_text(document.json(), encoding="utf-8")
    return Certificate.model_validate_json(kept.read_bytes())


async def _convert(name: str, directory: Path) -> Certificate:
    model = MODELS[name]
    if directory.exists():  # of an attempt that was interrupted, what was found out stays
        shutil.rmtree(directory / "made", ignore_errors=True)

    async def told(progress: Progress) -> None:
        print(f"{name} {progress.elapsed:7.1f} s  {progress.message}", flush=True)

    with tempfile.TemporaryDirectory(prefix="conch-bench-int8-") as scratch:
        source = Path(scratch) / "source"
        model.stage(source)
        request = ConversionRequest(source=source, task=model.task, threads=1, budget=dict(model.budget))
        report = await convert(request, directory, _LIMITS, told, directory / "cache")
    return report.certificate


def _print(name: str, certificate: Certificate) -> int:
    """The lines of one model; how many bars do not hold."""
    print(f"\n{name}: {certificate.precision} in {certificate.engine} {certificate.engine_version}")
    print(f"  {certificate.reason}")
    failed = 0
    for line in verdict.lines(certificate, MODELS[name].bars):
        failed += line.holds is False
        mark = {True: "holds", False: "MISSED", None: ""}[line.holds]
        print(f"  {line.what:42} {line.measured:32} {line.bar:12} {mark}")
    return failed


def _print_intelligibility(directory: Path) -> None:
    from benchmarks.int8.intelligible import measure

    found = measure(directory / "made" / "model")
    print(
        f"  of {found.said} words Whisper gets {found.wrong_float} wrong of the FP32 voice, {found.wrong_int8} of the "
        f"INT8 voice; {found.changed} differ between the two"
    )


def _print_rivals() -> None:
    """MiniLM beside what others make of it: ours by the task's budget, and by one that leaves next to nothing."""
    from benchmarks.int8.rivals import compare_all

    logging.disable()  # the quantizers' advice
    ours = {name: _RESULTS / name / "made" / "model" for name in ("minilm", "minilm-exact")}
    rows = compare_all({name: path for name, path in ours.items() if path.is_dir()}, _RESULTS / "rivals")
    print(f"\n  {'':30} {'cosine':>8} {'kept':>7} {'pairs':>7} {'size':>6}  time over FP32 ONNX Runtime")
    for row in rows:
        times = ", ".join(f"{ratio:.2f} ({load})" for load, (ratio, _, _) in row.ratios.items())
        print(
            f"  {row.name:30} {row.cosine:8.4f} {row.nearest_kept:7.3f} {row.rank_correlation:7.4f} "
            f"{row.size_ratio:6.3f}  {times}"
        )
    (_RESULTS / "rivals.json").write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
