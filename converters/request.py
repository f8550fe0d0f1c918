"""What a conversion is asked to do, and within which limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from registry.spec.certificate import Precision


class AccuracyBudget(BaseModel):
    """What a certificate demands at the least, of the lower end of each metric's 95 % interval."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cosine: float = Field(0.98, ge=0, le=1)
    nearest_kept: float = Field(0.80, ge=0, le=1)
    rank_correlation: float = Field(0.95, ge=0, le=1)


class ConversionRequest(BaseModel):
    """One conversion. `source` is a directory with the owner's files; the same request gives the same model bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Path
    task: str
    precision: Precision = Precision.INT8
    threads: int = Field(2, ge=1, le=256)
    seed: int = Field(0, ge=0, lt=2**32)
    budget: AccuracyBudget = AccuracyBudget()


@dataclass(frozen=True)
class Limits:
    """What the child may use: seconds by the clock and bytes of memory. Beyond either it is stopped."""

    seconds: float
    memory_bytes: int
