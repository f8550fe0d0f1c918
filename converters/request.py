"""What a conversion is asked to do, and within which limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from registry.spec.certificate import Precision

Bound = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
"""A bound of accuracy: every criterion is a share, a ratio or an error, and none is negative."""


class ConversionRequest(BaseModel):
    """One conversion. `source` is a directory with the owner's files; the same request gives the same model bytes.

    `budget` replaces bounds of the task's criteria by name: `{"cosine": 0.995}`. `time_limit` is in seconds, a day at
    most; the search then ends with the best candidate found so far. `allow_pickle` opens formats that can carry a
    pickle (TorchScript, .pt2), which is the operator's to decide. `check_tensorrt` compiles the canonical file with
    TensorRT-RTX, where that is installed, to see whether a GPU would take it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Path
    task: str
    precision: Precision = Precision.INT8
    threads: int = Field(2, ge=1, le=256)
    seed: int = Field(0, ge=0, lt=2**32)
    budget: dict[str, Bound] = {}
    time_limit: float | None = Field(None, gt=0, le=86400, allow_inf_nan=False)
    allow_pickle: bool = False
    check_tensorrt: bool = False


@dataclass(frozen=True)
class Limits:
    """What the child may use: seconds by the clock and bytes of memory. Beyond either it is stopped."""

    seconds: float
    memory_bytes: int
