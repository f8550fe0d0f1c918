"""What a TensorRT builder says while it works, kept, so that a failed build ends in one clear error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_LISTING = "LayerType: "


@dataclass
class Messages:
    """`errors` and `warnings` in the order they came, each once; `listing` is the builder's own list of the layers of
    the plan, which it logs where the plan keeps detailed information."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    listing: str = ""

    def add(self, severity: str, text: str) -> None:
        """Keep a message of a severity by TensorRT's name of it."""
        if severity in ("ERROR", "INTERNAL_ERROR"):
            _append(self.errors, text)
        elif severity == "WARNING":
            _append(self.warnings, text)
        elif _LISTING in text:
            self.listing = text


def logger(api: Any, messages: Messages) -> Any:
    """A logger of `api`, the module `tensorrt` or `tensorrt_rtx`, that keeps what it is told in `messages`."""

    class Kept(api.ILogger):  # type: ignore[misc]  # the base class is known only when the module is
        def __init__(self) -> None:
            api.ILogger.__init__(self)

        def log(self, severity: Any, text: str) -> None:
            messages.add(severity.name, text)

    return Kept()


def _append(kept: list[str], text: str) -> None:
    if text not in kept:
        kept.append(text)
