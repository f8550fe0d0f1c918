"""What MLflow, or what lies in it, can refuse. Each error says what to do about it."""

from __future__ import annotations

from registry.spec.errors import RemediedError


class TrackingError(RemediedError):
    """Something between Conch and MLflow did not work. No message holds a path, a credential or a stack trace."""


class TrackingMissing(TrackingError):
    """The package mlflow is not installed."""


class TrackingUnreachable(TrackingError):
    """The tracking server, or its database, does not answer."""


class TrackingFailed(TrackingError):
    """The tracking server answers with an error of its own, or refuses the credentials."""


class SourceUnknown(TrackingError):
    """There is no such model, version, alias or run, or the reference to it is not one."""


class SourceRefused(TrackingError):
    """The model is there, but its flavour cannot be converted, it needs code of its own, or its files are not sound."""


def shown(text: object) -> str:
    """`text`, which somebody else chose, fit for a message: printable and short."""
    string = str(text) if isinstance(text, str) else ""
    return string if string.isprintable() and 0 < len(string) <= 100 else "(not printable)"
