"""Two axes: time as a ratio to FP32, linear; loss, logarithmic with a lane of its own for none."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_SLOWEST = 3.0
"""Times FP32's: what takes longer stands at the edge, or it would press the rest together."""
_STEPS = (0.05, 0.1, 0.2, 0.25, 0.5, 1.0)
_MOST_LABELS = 8


@dataclass(frozen=True)
class TimeAxis:
    """From `low` to `high`, drawn from `left` to `right`."""

    low: float
    high: float
    left: float
    right: float

    @classmethod
    def around(cls, ratios: Iterable[float], left: float, right: float) -> TimeAxis:
        """An axis with room for every ratio and for FP32 itself, at 1."""
        inside = [1.0, *(min(ratio, _SLOWEST) for ratio in ratios)]
        margin = max(0.05, 0.08 * (max(inside) - min(inside)))
        return cls(max(0.0, min(inside) - margin), max(inside) + margin, left, right)

    def at(self, ratio: float) -> float:
        """Where a ratio is drawn."""
        share = (min(ratio, _SLOWEST) - self.low) / (self.high - self.low)
        return self.left + share * (self.right - self.left)

    def ticks(self) -> list[float]:
        """Round ratios along the axis."""
        step = next((step for step in _STEPS if (self.high - self.low) / step <= _MOST_LABELS), _STEPS[-1])
        return [index * step for index in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]

    @staticmethod
    def beyond(ratio: float) -> bool:
        """Whether a ratio is drawn nearer than it is."""
        return ratio > _SLOWEST


@dataclass(frozen=True)
class LossAxis:
    """Decades from 10^`low` to 10^`high`, drawn from `bottom` up to `top`; losses of 0 or less stand at `lane`."""

    low: int
    high: int
    top: float
    bottom: float
    lane: float | None

    @classmethod
    def around(cls, losses: Iterable[float], top: float, bottom: float) -> LossAxis:
        """An axis with room for every loss. The lane is only there where it is needed."""
        known = list(losses)
        exponents = [math.log10(loss) for loss in known if loss > 0] or [-3.0, -1.0]
        low = math.floor(min(exponents))
        lane = bottom - 8 if any(loss <= 0 for loss in known) else None
        return cls(low, max(low + 1, math.ceil(max(exponents))), top, bottom - 30 if lane else bottom, lane)

    def at(self, loss: float) -> float:
        """Where a loss is drawn."""
        if loss <= 0:
            return self.bottom if self.lane is None else self.lane
        return self._height(math.log10(loss))

    def ticks(self) -> list[tuple[float, str]]:
        """Heights and labels: powers of ten, and 2 and 5 between them where there is room."""
        decades = self.high - self.low
        step = math.ceil(decades / _MOST_LABELS)
        ticks = [(self._height(power), _power(power)) for power in range(self.low, self.high + 1, step)]
        if decades <= 2:
            between = [(power, digit) for power in range(self.low, self.high) for digit in (2, 5)]
            ticks += [(self._height(power + math.log10(digit)), _power(power, digit)) for power, digit in between]
        return ticks

    def _height(self, exponent: float) -> float:
        return self.bottom - (exponent - self.low) / (self.high - self.low) * (self.bottom - self.top)


def _power(exponent: int, digit: int = 1) -> str:
    """`digit` times a power of ten: written out where that is short."""
    if -4 <= exponent < 0:
        return f"{digit * 10.0**exponent:.{-exponent}f}"
    return str(digit * 10**exponent) if 0 <= exponent <= 3 else f"{digit}e{exponent}"
