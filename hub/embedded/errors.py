"""What keeps `conch up` from doing its work, said in one line with its remedy."""

from __future__ import annotations


class CannotStart(Exception):
    """Something of the machine or of the command line is in the way; `remedy` says what the operator can do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}"


class NotReady(Exception):
    """A server is not answering as it should (yet); the text says how."""
