"""What keeps `conch up` from doing its work, said in one line with its remedy."""

from __future__ import annotations

from registry.spec.errors import RemediedError


class CannotStart(RemediedError):
    """Something of the machine or of the command line is in the way; `remedy` says what the operator can do."""


class NotReady(Exception):
    """A server is not answering as it should (yet); the text says how."""
