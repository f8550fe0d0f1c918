"""The accuracy–latency curve: what each candidate loses against what it takes."""

from __future__ import annotations

from collections.abc import Sequence

from registry.certificates import wording
from registry.certificates.markup import Markup, element, joined
from registry.certificates.plots.axes import LossAxis, TimeAxis
from registry.certificates.plots.drawing import WIDTH, canvas, fitted, hint, label, line, message, width
from registry.certificates.plots.shapes import shape
from registry.spec.certificate import Engine, Point

_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, WIDTH - 14, 30.0, 262.0
_ROW = 20.0
_MARK = 5.0
_BUDGET = 1.0
"""The loss above which a candidate fails."""


def accuracy_latency(curve: Sequence[Point]) -> str:
    """An SVG of the loss (logarithmic, 0 in a lane of its own) against the time as a ratio to FP32's.

    Dashed lines are the accuracy budget, a loss of 1, and FP32's time. The shape says the engine, full or hollow
    whether the candidate passed; the chosen one has a ring, and its name is below. A line goes along those that no
    other candidate beats in both. Candidates without a time are counted below.
    """
    points = [point for point in curve if _placed(point)]
    if not points:
        return message("No candidate was timed.")
    time = TimeAxis.around([_ratio(point) for point in points], _LEFT, _RIGHT)
    loss = LossAxis.around([_BUDGET, *(point.loss for point in points)], _TOP, _BOTTOM)
    drawn = sorted(points, key=lambda point: point.chosen)  # the chosen one on top
    parts = [
        *_grid(time, loss),
        _frontier(points, time, loss),
        *(_mark(point, time, loss) for point in drawn),
    ]
    foot, height = _foot(points, len(curve) - len(points))
    said = f"Loss against time of {len(points)} candidates. The table of candidates has the same figures."
    return canvas(height, said, [*parts, *foot])


def _placed(point: Point) -> bool:
    return point.latency_ratio is not None and point.latency_ratio > 0


def _ratio(point: Point) -> float:
    assert point.latency_ratio is not None, "only points with a time are drawn"
    return point.latency_ratio


def _grid(time: TimeAxis, loss: LossAxis) -> list[Markup]:
    parts = []
    for height, said in loss.ticks():
        parts += [line(_LEFT, height, _RIGHT, height, "grid")]
        parts += [label(_LEFT - 6, height + 4, said, anchor="end", class_="quiet small")]
    if loss.lane is not None:
        parts += [line(_LEFT, loss.lane, _RIGHT, loss.lane, "grid")]
        parts += [label(_LEFT - 6, loss.lane + 4, "≤ 0", anchor="end", class_="quiet small")]
    for ratio in time.ticks():
        parts += [label(time.at(ratio), _BOTTOM + 17, f"{ratio:.2f}", anchor="middle", class_="quiet small")]
    parts += [
        line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, "axis"),
        line(_LEFT, _TOP, _LEFT, _BOTTOM, "axis"),
        line(time.at(1), _TOP, time.at(1), _BOTTOM, "limit"),
        line(_LEFT, loss.at(_BUDGET), _RIGHT, loss.at(_BUDGET), "limit"),
        label(_RIGHT, loss.at(_BUDGET) - 5, "budget", anchor="end", class_="quiet small"),
        label(8, 16, "loss as a share of the accuracy budget, less is better", class_="strong"),
        label(_RIGHT, _BOTTOM + 36, "time as a ratio to FP32, less is better", anchor="end", class_="strong"),
    ]
    return parts


def _frontier(points: Sequence[Point], time: TimeAxis, loss: LossAxis) -> Markup:
    """Steps along the candidates that none is both quicker and better than."""
    best: list[Point] = []
    for point in sorted(points, key=lambda point: (_ratio(point), point.loss)):
        if not best or point.loss < best[-1].loss:
            best.append(point)
    steps = [f"M{time.at(_ratio(best[0])):.1f} {loss.at(best[0].loss):.1f}"]
    steps += [f"H{time.at(_ratio(point)):.1f}V{loss.at(point.loss):.1f}" for point in best[1:]]
    return element("path", d="".join(steps), class_="frontier")


def _mark(point: Point, time: TimeAxis, loss: LossAxis) -> Markup:
    x, y = time.at(_ratio(point)), loss.at(point.loss)
    parts = [hint(_details(point)), shape(point.engine, x, y, _MARK, "passed" if point.passed else "failed")]
    if point.chosen:
        parts.append(element("circle", cx=x, cy=y, r=2 * _MARK, class_="chosen"))
    return element("g", joined(parts))


def _details(point: Point) -> list[str]:
    outcome = "passed" if point.passed else "failed"
    beyond = " (beyond the axis)" if TimeAxis.beyond(_ratio(point)) else ""
    return [
        point.name,
        f"{wording.ARITHMETIC[point.arithmetic]} in {wording.ENGINE[point.engine]}, "
        + (f"{outcome}, chosen" if point.chosen else outcome),
        f"loss {wording.number(point.loss)}",
        f"time {wording.times(point.latency_ratio)}{beyond}",
        f"size {wording.times(point.size_ratio)}",
        *(f"{name} {wording.number(value)}" for name, value in point.figures.items()),
    ]


def _foot(points: Sequence[Point], missing: int) -> tuple[list[Markup], float]:
    """The legend, as many rows as it needs, and what could not be drawn; and the height of the whole plot."""
    entries: list[tuple[Engine | None, str, str]] = [
        (engine, "sample", wording.ENGINE[engine])
        for engine in Engine
        if any(point.engine is engine for point in points)
    ]
    entries += [(None, "passed", "passed"), (None, "failed", "failed")]
    chosen = [point.name for point in points if point.chosen][:1]  # named here: in the plot it would cover others
    entries += [(None, "chosen", fitted(f"chosen: {name}", _RIGHT - _LEFT - 14)) for name in chosen]
    parts, x, y = [], _LEFT, _BOTTOM + 60
    for engine, class_, said in entries:
        if x + 14 + width(said) > _RIGHT:
            x, y = _LEFT, y + _ROW
        parts += [shape(engine, x, y - 4, _MARK, class_), label(x + 11, y, said, class_="small")]
        x += 30 + width(said)
    beyond = sum(TimeAxis.beyond(_ratio(point)) for point in points)
    notes = [f"{beyond} beyond the right edge"] if beyond else []
    notes += [f"{missing} without a time not drawn"] if missing else []
    if notes:
        y += _ROW
        parts += [label(_LEFT - 5, y, "; ".join(notes), class_="quiet small")]
    return parts, y + 12
