"""What a conversion can refuse or fail with. Each error says what to do about it."""

from __future__ import annotations

from registry.spec.errors import RemediedError


class SourceInvalid(RemediedError):
    """The source is not what it claims to be, is incomplete, or would run code: the owner has to change it."""


class ConversionFailed(RemediedError):
    """The source looked right but could not be converted: a limit was reached, or a step failed on it."""


LOG_KEPT = "The conversion's log is kept with the version."


def out_of_time(command: str, seconds: float) -> ConversionFailed:
    """The error of a child that was stopped by the clock. `command` is what it was doing: inspect or convert."""
    return _limit_reached(command, f"took longer than the {seconds:g} s", "CONCH_CONVERSION_SECONDS")


def out_of_memory(command: str, memory_bytes: int) -> ConversionFailed:
    """The error of a child that asked for more memory than it may use."""
    size = f"{memory_bytes / 1024**3:.1f} GB of memory"
    return _limit_reached(command, f"needed more than the {size}", "CONCH_CONVERSION_MEMORY_BYTES")


def _limit_reached(command: str, what: str, setting: str) -> ConversionFailed:
    if command != "convert":  # its limits are no settings
        return ConversionFailed(
            f"The inspection {what} that it may use.", "Register a smaller model, and check that its files are whole."
        )
    return ConversionFailed(
        f"The conversion {what} that the operator of this Conch allows.",
        f"Register a smaller model, or ask the operator to raise {setting}.",
    )
