"""What a conversion leaves behind, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from registry.spec.certificate import Certificate

_MOST_ROWS = 65536  # of a batch, whatever a child says


class ConversionReport(BaseModel):
    """The outcome of a conversion that ran to its end; `certificate.verdict` says whether the version may serve.

    `signature` is `registry.spec.signature.Signature.to_json()`. `model_directory` holds exactly the files that serve.
    `canonical` are the INT8 files that other lowerings start from, none for a float version. `probe` is JSON, None for
    a task that is not served yet: public `inputs` and the `outputs` the certified graph gave, each
    `{name: {"datatype", "shape", "data"}}` with the batch dimension in front. `isolation` names the walls around the
    child that held, one each, as it stood when it began.
    """

    model_config = ConfigDict(frozen=True)

    certificate: Certificate
    signature: dict[str, Any]
    max_batch: int = Field(ge=1, le=_MOST_ROWS)
    model_directory: Path
    canonical: list[Path]
    probe: Path | None
    isolation: list[str]
    seconds: float
    peak_memory_bytes: int
