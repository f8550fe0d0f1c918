"""What a certificate says, as tables of plain text: the terminal and the page draw the same ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from registry.certificates import wording
from registry.certificates.ranking import by_harm
from registry.spec.certificate import Certificate, Data, Layer, Metric, Point


class Tone(StrEnum):
    """What a row means for the verdict."""

    GOOD = "good"
    BAD = "bad"
    MARKED = "marked"


@dataclass(frozen=True)
class Row:
    """Cells of text, not yet escaped for anything."""

    cells: tuple[str, ...]
    tone: Tone | None = None


@dataclass(frozen=True)
class Table:
    """Rows under a title. `head` is empty where the first column names what the second says; `note` stands below."""

    title: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""


def tables(certificate: Certificate, *, layers: int, figures: bool) -> list[Table]:
    """Every table that has something to say.

    At most `layers` layers are listed; with `figures`, candidates are shown with the task's figures, which is wide.
    """
    makers: tuple[Callable[[Certificate], Table], ...] = (
        _accuracy,
        _latency,
        _size,
        _operators,
        lambda certificate: _curve(certificate, figures=figures),
        lambda certificate: _floating(certificate, layers),
        _lowerings,
        _data,
        _lineage,
        _conditions,
        _files,
    )
    return [table for table in (make(certificate) for make in makers) if table.rows or table.note]


def _accuracy(certificate: Certificate) -> Table:
    head = ("figure", "value", "interval", "confidence", "demanded", "outcome")
    rows = tuple(_metric(metric) for metric in certificate.accuracy)
    return Table("Accuracy against FP32, on held-out data", head, rows, "" if rows else "No figure was measured.")


def _metric(metric: Metric) -> Row:
    cells = (
        metric.name,
        wording.number(metric.value, metric.minimum, metric.maximum),
        wording.interval(metric.low, metric.high, metric.minimum, metric.maximum),
        wording.percent(metric.confidence),
        wording.demand(metric),
        wording.outcome(metric),
    )
    bounded = metric.minimum is not None or metric.maximum is not None
    return Row(cells, (Tone.GOOD if metric.passed else Tone.BAD) if bounded else None)


def _latency(certificate: Certificate) -> Table:
    head = ("batch", "threads", "FP32", "this version", "ratio", "95 % interval")
    rows = tuple(
        Row(
            (
                latency.load,
                str(latency.threads),
                wording.milliseconds(latency.float_ms),
                wording.milliseconds(latency.quantized_ms),
                wording.times(latency.ratio),
                wording.interval(latency.ratio_low, latency.ratio_high),
            )
        )
        for latency in certificate.latency
    )
    note = (
        "Medians, measured in turns. FP32 is the original graph in ONNX Runtime."
        if rows
        else "No latency was measured."
    )
    return Table("Latency", head, rows, note)


def _size(certificate: Certificate) -> Table:
    measured = certificate.size
    if measured is None:
        return Table("Size", (), ())
    ratio = measured.quantized_bytes / measured.float_bytes if measured.float_bytes else None
    cells = (wording.size(measured.float_bytes), wording.size(measured.quantized_bytes), wording.times(ratio))
    return Table("Size", ("FP32", "this version", "ratio"), (Row(cells),))


def _operators(certificate: Certificate) -> Table:
    counted = certificate.operators
    if counted is None:
        return Table("What the engine runs", (), ())
    kinds = [*counted.quantized, *(kind for kind in counted.floating if kind not in counted.quantized)]
    rows = tuple(Row((kind, str(counted.quantized.get(kind, 0)), str(counted.floating.get(kind, 0)))) for kind in kinds)
    note = (
        f"{wording.percent(counted.quantized_share)} of the operators with constant weights are quantized, "
        "counted in the engine's own optimised graph."
    )
    return Table("What the engine runs", ("operator", "quantized", "in float"), rows, note)


def _curve(certificate: Certificate, *, figures: bool) -> Table:
    names = list(dict.fromkeys(name for point in certificate.curve for name in point.figures)) if figures else []
    head = ("candidate", "arithmetic", "engine", "loss", "time", "size", *names, "outcome")
    rows = tuple(_candidate(point, names) for point in certificate.curve)
    note = (
        "Loss is the share of the accuracy budget that the worst figure uses on the selection data: 0 is FP32 itself, "
        "above 1 fails. What passed kept the budget on held-out data, too, if it came that far. Time and size are "
        "ratios to FP32; candidates with the same operators in INT8 share one measurement of time. The accuracy above "
        "is of held-out data, which no choice has seen."
    )
    return Table("Candidates", head, rows, note if rows else "No candidate was measured.")


def _candidate(point: Point, names: list[str]) -> Row:
    outcome = "passed" if point.passed else "failed"
    cells = (
        point.name,
        wording.ARITHMETIC[point.arithmetic],
        wording.ENGINE[point.engine],
        wording.number(point.loss),
        wording.times(point.latency_ratio),
        wording.times(point.size_ratio),
        *(wording.number(point.figures[name]) if name in point.figures else "" for name in names),
        f"{outcome}, chosen" if point.chosen else outcome,
    )
    return Row(cells, Tone.MARKED if point.chosen else None)


def _floating(certificate: Certificate, most: int) -> Table:
    floating = [layer for layer in by_harm(certificate.layers) if layer.arithmetic in wording.FLOATING]
    everything = len(certificate.layers)
    note = f"{everything - len(floating)} of {everything} layers are quantized." if everything else ""
    if everything > 1 and len(floating) == everything and len({layer.reason for layer in floating}) == 1:
        return Table("Layers in float", (), (), f"{note} All are in float: {floating[0].reason}.")
    rows = tuple(_layer(layer) for layer in floating[:most])
    if len(floating) > most:
        note += f" {len(floating) - most} more are in float; the document lists them all."
    return Table("Layers in float", ("layer", "operators", "harm if quantized", "why"), rows, note)


def _layer(layer: Layer) -> Row:
    harm = "not ranked" if layer.harm is None else wording.number(layer.harm)
    return Row((layer.name, wording.operators(layer.operators), harm, layer.reason or "no reason was recorded"))


def _lowerings(certificate: Certificate) -> Table:
    rows = tuple(
        Row((lowering.target, wording.status(lowering), lowering.detail, lowering.sha256 or "no file"))
        for lowering in certificate.lowerings
    )
    return Table("Other forms of the same model", ("target", "how far it was examined", "detail", "SHA-256"), rows)


def _data(certificate: Certificate) -> Table:
    kinds = (
        ("calibration", certificate.calibration),
        ("selection", certificate.selection),
        ("held out", certificate.held_out),
    )
    rows = tuple(_samples(name, data) for name, data in kinds if data is not None)
    note = "Calibrated with the first, chosen by the second, judged on the third." if len(rows) == len(kinds) else ""
    return Table(
        "Data", ("used as", "what it is", "samples", "SHA-256"), rows, note or ("" if rows else "No data was used.")
    )


def _samples(name: str, data: Data) -> Row:
    return Row((name, data.description, str(data.samples), data.sha256))


def _lineage(certificate: Certificate) -> Table:
    lineage = certificate.lineage
    steps = {
        "source": lineage.source,
        "calibration data": lineage.calibration,
        "canonical file": lineage.canonical,
        "what is served": lineage.served,
    }
    return _named("Lineage, each step by its SHA-256", {name: value for name, value in steps.items() if value})


def _conditions(certificate: Certificate) -> Table:
    hardware = certificate.hardware
    facts = {
        "hardware class": hardware.hardware_class,
        "processor": f"{hardware.processor}, {hardware.cores} cores",
        "engine": f"{wording.ENGINE[certificate.engine]} {certificate.engine_version}",
        "software": ", ".join(f"{name} {version}" for name, version in certificate.versions.items()),
        "conversion": f"{wording.number(certificate.seconds)} s, "
        f"at most {wording.size(certificate.peak_memory_bytes)} of memory",
        "created": certificate.created_at.isoformat(sep=" ", timespec="seconds"),
    }
    return _named("Measured with", {name: value for name, value in facts.items() if value})


def _files(certificate: Certificate) -> Table:
    return _named("Files that serve, by SHA-256", certificate.files)


def _named(title: str, facts: Mapping[str, str]) -> Table:
    return Table(title, (), tuple(_facts(facts)))


def _facts(facts: Mapping[str, str]) -> Iterator[Row]:
    return (Row((name, value)) for name, value in facts.items())
