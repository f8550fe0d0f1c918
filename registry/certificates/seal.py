"""What may be said about a document's signature without knowing whom to trust."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from registry.certificates.document import Document
from registry.certificates.errors import CertificateError, Unsigned
from registry.certificates.signing import verify


class State(Enum):
    """How a document stands."""

    INTACT = auto()
    UNSIGNED = auto()
    BROKEN = auto()


@dataclass(frozen=True)
class Seal:
    """The state of a signature, and in a sentence what it means."""

    state: State
    said: str

    def headline(self, verdict: str) -> str:
        """A verdict that somebody changed, or may have changed, is only a claim."""
        return verdict if self.state is State.INTACT else f"claims: {verdict}"


def seal(document: Document) -> Seal:
    """Check the document against the key that it carries itself."""
    try:
        verified = verify(document)
    except Unsigned:
        return Seal(State.UNSIGNED, "Not signed: nothing shows who wrote this, or that nobody changed it.")
    except CertificateError as error:
        return Seal(State.BROKEN, f"Do not rely on this. {error.message}")
    return Seal(
        State.INTACT,
        f"Unchanged since it was signed with the key {verified.key_id}. Whose key that is, only `conch certificate "
        "verify` with a public key that you trust can show.",
    )
