"""What can go wrong with Triton and its repository.

TritonRepoError
├── Unpublishable        the model directory or the name may not go into a repository
├── AlreadyPublished     a published model is never overwritten
├── Unreachable          Triton does not answer
├── LoadFailed           Triton refused to load or unload the model
├── ProbeFailed          the served model answers something else than the certified one
└── EmbeddedUnavailable  this machine lacks what the embedded server needs
"""

from __future__ import annotations

from registry.spec.errors import RemediedError


class TritonRepoError(RemediedError):
    """The base of this package's errors: a message, and what to do about it, by default what helps against its kind."""

    remedy = ""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message, type(self).remedy if remedy is None else remedy)


class Unpublishable(TritonRepoError):
    """The model directory, its name or the repository's place does not allow a publish."""


class AlreadyPublished(TritonRepoError):
    """A model of that name is in the repository; published models never change."""

    remedy = "Publish under a new name."


class Unreachable(TritonRepoError):
    """Triton does not answer on its gRPC address."""

    remedy = "Check that Triton runs and that the address is the one it listens on."


class KeyRefused(TritonRepoError):
    """Triton's APIs are locked, and the key it was called with is not the one it was started with."""

    remedy = "Give the key Triton was started with."


class LoadFailed(TritonRepoError):
    """Triton refused to load or unload a model; the message carries its reason."""

    remedy = "Read the reason; Triton's log has the whole story."


class ModelDied(TritonRepoError):
    """The process of a loaded model is gone, out of memory for instance.

    Triton neither replaces it nor stops to call the model ready; every request of it fails.
    """

    remedy = "Reload the model."


class ProbeFailed(TritonRepoError):
    """The model answers through Triton, but not what was certified; the message carries the numbers."""

    remedy = "Convert the model again on a machine like the one that serves it."


class EmbeddedUnavailable(TritonRepoError):
    """The embedded Triton cannot be started here; the remedy says what to install."""
