"""A certificate holds nothing that could be neither signed nor kept."""

from __future__ import annotations

import math
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from registry.certificates.document import Document
from registry.certificates.page import page
from registry.certificates.signing import sign
from registry.spec.certificate import Certificate
from tests.registry.certificates.given import CERTIFICATE


def _with(place: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """The certificate with another value at a place."""
    changed = CERTIFICATE.model_dump(mode="json")
    inner: Any = changed
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("curve", 0, "loss"), math.nan),
        (("curve", 0, "figures"), {"cosine": math.inf}),
        (("accuracy", 0, "high"), -math.inf),
        (("seconds",), 1e300),
        (("seconds",), -1.0),
        (("peak_memory_bytes",), 2**53),
        (("size", "float_bytes"), -1),
        (("operators", "quantized"), {"MatMul": 2**64}),
        (("operators", "quantized"), {"\ud800": 1}),
        (("reason",), "lone \ud800 surrogate"),
        (("reason",), "zero \0 byte"),
        (("files",), {"model\udfff.onnx": "a"}),
        (("created_at",), "0001-01-01T00:00:00Z"),
        (("created_at",), "2026-01-01T00:00:00"),
    ],
)
def test_what_cannot_be_signed_or_kept_is_no_certificate(place: tuple[str | int, ...], value: Any) -> None:
    with pytest.raises(ValidationError):
        Certificate.model_validate(_with(place, value))


@pytest.mark.parametrize("value", [5e-324, 1.7976931348623157e308, -1e308])
def test_any_other_figure_is_signed_and_shown(value: float) -> None:
    for place in (("curve", 0, "loss"), ("curve", 0, "latency_ratio"), ("accuracy", 0, "value"), ("layers", 0, "harm")):
        certificate = Certificate.model_validate(_with(place, value))
        page(sign(certificate, Ed25519PrivateKey.generate()))


def test_what_passes_is_read_again_as_it_was() -> None:
    certificate = Certificate.model_validate(_with(("reason",), "tab\t, line\n, ✓ and 𝄞"))
    assert Document(certificate.model_dump(mode="json"), None).certificate() == certificate
