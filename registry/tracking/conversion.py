"""What is recorded of a conversion, in plain values: whoever ran it fills this in and need not know MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from registry.spec.certificate import Certificate


@dataclass(frozen=True)
class ConversionRecord:
    """A conversion that came to a verdict, certified or rejected.

    `conversion_id` is what makes it one: a job's id, or a digest of request and source. `signed_certificate` are the
    bytes of certificate.json as they are kept, with the signature; `page` is the certificate as HTML. `plots` has SVG
    and `logs` text, by file name. `tags` are further ones, such as the version that came of it.
    """

    conversion_id: str
    model: str
    certificate: Certificate
    signed_certificate: bytes
    source_uri: str
    budget: Mapping[str, float]
    seed: int
    conch_version: str
    page: str | None = None
    plots: Mapping[str, str] = field(default_factory=dict)
    logs: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ConversionFailure:
    """A conversion that ended without a verdict: what it said, and what it had written by then."""

    conversion_id: str
    model: str
    task: str
    source_uri: str
    budget: Mapping[str, float]
    seed: int
    conch_version: str
    message: str
    started_at: datetime
    ended_at: datetime
    logs: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
