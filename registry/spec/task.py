"""What a task is: the meaning that turns a model's tensors into something a tenant asks for and pays for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Modality(StrEnum):
    """What a part of a request or of an answer carries."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    DOCUMENT = "document"
    TENSOR = "tensor"


@dataclass(frozen=True)
class Unit:
    """Something a model counts in every row it answers, in the order of the columns of the output `conch_usage`.

    A unit that is not billed is still reported to the caller: `truncated_tokens` says what was cut off.
    """

    name: str
    billed: bool
    meaning: str


@dataclass(frozen=True)
class Criterion:
    """One figure by which a converted model is judged against its FP32 original, as the task is used.

    `bound` is what a certificate demands by default of the figure's interval: of its lower end where higher is better,
    else of its upper end. None is reported and decides nothing.
    """

    name: str
    meaning: str
    bound: float | None
    higher_is_better: bool = True

    def can_be(self, bound: float) -> bool:
        """Whether a figure can keep `bound`: of those where higher is better none is above 1."""
        return bound <= 1 or not self.higher_is_better


@dataclass(frozen=True)
class Task:
    """A task fixes the modality of inputs and outputs, the units a model reports, and how its accuracy is judged."""

    name: str
    title: str
    input: Modality
    output: Modality
    units: tuple[Unit, ...]
    criteria: tuple[Criterion, ...] = ()

    @property
    def billed_units(self) -> tuple[str, ...]:
        """The units that need a price before a model of this task may be published."""
        return tuple(unit.name for unit in self.units if unit.billed)


USAGE_OUTPUT = "conch_usage"
"""INT64 [rows, units]: what every runtime model answers beside its own outputs; always requested, never shown."""

REFUSED_INPUT = "refused input: "
"""What the error of a runtime model begins with whose remaining text is for whoever sent the input."""
