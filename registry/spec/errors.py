"""The base of errors that somebody is told about: what is wrong, and what to do about it."""

from __future__ import annotations


class RemediedError(Exception):
    """`message` says what is wrong, `remedy` what its reader can do; each is a sentence or more, or empty."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message, remedy)  # both, so that it can be pickled
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()
