"""`make bench-int8 [MODEL=minilm]`: convert the samples, hold each against its bars, and MiniLM against its rivals."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.int8.samples import MODELS
from benchmarks.int8.verdict import Line, line, lines
from converters import lineage
from converters.child import Limits, Progress, convert
from converters.request import ConversionRequest
from registry.certificates.document import Document, read_document
from registry.certificates.page import page
from registry.spec.certificate import Certificate

_RESULTS = Path(__file__).parents[1] / "results" / "int8"
_LEAST_CORRELATION = 0.997  # of the similarities of all pairs of texts; a certificate has the mean over texts
_LIMITS = Limits(seconds=3 * 3600, memory_bytes=12 * 1024**3)


def main() -> None:
    """Convert what is asked for, print one table, keep certificates and numbers in `benchmarks/results/int8`."""
    parser = argparse.ArgumentParser(prog="benchmarks.int8", description=__doc__)
    parser.add_argument("--model", choices=tuple(MODELS), action="append", help="only this one; may be repeated")
    parser.add_argument("--again", action="store_true", help="forget earlier results; an interrupted one goes on")
    parser.add_argument("--seed", type=int, default=0, help="another one draws other data to choose and judge by")
    arguments = parser.parse_args()
    failed = 0
    for name in arguments.model or MODELS:
        certificate = _certificate(name, arguments.seed, again=arguments.again)
        print(f"\n{name}: {certificate.precision} in {certificate.engine} {certificate.engine_version}")
        print(f"  {certificate.reason}")
        failed += _print(lines(certificate, MODELS[name].bars))
        if name == "piper":
            failed += _print(_intelligibility(_RESULTS / name))
    if "minilm" in (arguments.model or MODELS):
        failed += _print_rivals()
    print(f"\n{failed} bars do not hold" if failed else "\nall bars hold")
    raise SystemExit(1 if failed else 0)


def _certificate(name: str, seed: int, *, again: bool) -> Certificate:
    directory = _RESULTS / name
    kept = directory / "certificate.json"
    made_by, wanted = directory / "made.by", _made_by(name, seed)  # before: meanwhile the code may change
    known = made_by.read_text() if made_by.exists() else ""
    if again or (kept.exists() and known != wanted):
        shutil.rmtree(directory, ignore_errors=True)
    if not kept.exists():
        certificate = asyncio.run(_convert(name, seed, directory))
        made_by.write_text(wanted)
        document = Document(certificate.model_dump(mode="json"), None)
        (directory / "certificate.html").write_text(page(document), encoding="utf-8")
        kept.write_text(document.json(), encoding="utf-8")
    return read_document(kept.read_bytes()).certificate()


def _made_by(name: str, seed: int) -> str:
    """What a result depends on: one of other code, another processor or other demands is not this run's."""
    return lineage.scope([name, str(seed), str(MODELS[name].budget)])


async def _convert(name: str, seed: int, directory: Path) -> Certificate:
    model = MODELS[name]
    if directory.exists():  # of an attempt that was interrupted, what was found out stays
        shutil.rmtree(directory / "made", ignore_errors=True)

    async def told(progress: Progress) -> None:
        print(f"{name} {progress.elapsed:7.1f} s  {progress.message}", flush=True)

    with tempfile.TemporaryDirectory(prefix="conch-bench-int8-") as scratch:
        source = Path(scratch) / "source"
        model.stage(source)
        request = ConversionRequest(source=source, task=model.task, threads=1, seed=seed, budget=dict(model.budget))
        report = await convert(request, directory, _LIMITS, told, directory / "cache")
    return report.certificate


def _print(found: Iterable[Line]) -> int:
    """How many bars do not hold."""
    failed = 0
    for entry in found:
        failed += entry.holds is False
        mark = {True: "holds", False: "MISSED", None: ""}[entry.holds]
        print(f"  {entry.what:42} {entry.measured:32} {entry.bar:12} {mark}")
    return failed


def _intelligibility(directory: Path) -> Iterator[Line]:
    from benchmarks.int8.intelligible import measure

    found = measure(directory / "made" / "model")
    of = f"of {found.said}"
    wrong, changed = found.wrong_served / found.said, found.changed / found.said
    most = found.wrong_original / found.said + 0.005
    yield line("words wrong to Whisper, original", f"{found.wrong_original} {of}", 0)
    yield line("words wrong to Whisper, as served", f"{found.wrong_served} {of}: {wrong:.4f}", wrong, most=most)
    yield line("words heard differently", f"{found.changed} {of}: {changed:.4f}", changed, most=0)
    yield line("  and of the original in 16 bits", f"{found.changed_by_rounding} {of}", 0)


def _print_rivals() -> int:
    """MiniLM beside what others make of it, and whether one of ours beats each in accuracy and in time."""
    from benchmarks.int8.rivals import compare_all

    logging.disable()  # the quantizers' advice
    ours = {name: _RESULTS / name / "made" / "model" for name in ("minilm", "minilm-exact", "minilm-nearest")}
    made = {name: path for name, path in ours.items() if path.is_dir()}
    rows = compare_all(made, _RESULTS / "rivals")
    print(f"\n  {'':30} {'cosine':>8} {'kept':>7} {'pairs':>7} {'size':>6}  time over FP32 ONNX Runtime")
    for row in rows:
        times = ", ".join(f"{ratio:.2f} ({load})" for load, (ratio, _, _) in row.ratios.items())
        print(
            f"  {row.name:30} {row.cosine:8.4f} {row.nearest_kept:7.3f} {row.rank_correlation:7.4f} "
            f"{row.size_ratio:6.3f}  {times}"
        )
    (_RESULTS / "rivals.json").write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
    print()
    correlation = rows[0].rank_correlation
    found = [line("rank correlation of all pairs", f"{correlation:.4f}", correlation, least=_LEAST_CORRELATION)]
    for rival in rows[len(made) :]:
        better = [row.name for row in rows[: len(made)] if row.beats(rival)]
        found.append(Line(f"better than {rival.name}", ", ".join(better) or "none", "one of ours", bool(better)))
    return _print(found)


if __name__ == "__main__":
    main()
