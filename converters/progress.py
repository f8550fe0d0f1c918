"""How far a conversion is: sentences for a person, and the lines in which the child says them."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import TextIO


@dataclass(frozen=True)
class Progress:
    """`message` is what is being done now; `fraction` of the whole is done, None where nobody knows.

    `elapsed` is in seconds since the conversion began.
    """

    step: str
    message: str
    fraction: float | None
    elapsed: float


class Reporter:
    """The child's side: one JSON line each on a stream that carries nothing else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._started = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the conversion began."""
        return time.monotonic() - self._started

    def step(self, step: str, message: str, fraction: float | None = None) -> None:
        """Say what is being done from now on."""
        self._line("progress", asdict(Progress(step, message, fraction, round(self.elapsed, 3))))

    def result(self, payload: str) -> None:
        """Hand over the outcome, JSON of a `ConversionReport` or `SourceFacts`."""
        self._line("result", json.loads(payload))

    def error(self, kind: str, message: str, remedy: str) -> None:
        """Say why there is no outcome; `kind` is the name of the error class."""
        self._line("error", {"kind": kind, "message": message, "remedy": remedy})

    def _line(self, event: str, data: object) -> None:
        self._stream.write(json.dumps({"event": event, "data": data}) + "\n")
        self._stream.flush()
