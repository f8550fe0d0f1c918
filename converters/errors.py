"""What a conversion can refuse or fail with. Each error says what to do about it."""

from __future__ import annotations


class _ConversionError(Exception):
    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message} {remedy}")
        self.message = message
        self.remedy = remedy


class SourceInvalid(_ConversionError):
    """The source is not what it claims to be, is incomplete, or would run code: the owner has to change it."""


class ConversionFailed(_ConversionError):
    """The source looked right but could not be converted: a limit was reached, or a step failed on it."""
