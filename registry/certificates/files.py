"""The files of a certificate in a directory: for programs, for people, and its plots as pictures of their own."""

from __future__ import annotations

from pathlib import Path

from registry.certificates.document import Document
from registry.certificates.page import page
from registry.certificates.plots import accuracy_latency, layer_sensitivity
from registry.spec.certificate import Certificate

JSON = "certificate.json"
PAGE = "certificate.html"


def write(document: Document, directory: Path) -> None:
    """Write both forms of the certificate into `directory`. Raises OSError."""
    (directory / JSON).write_text(document.json(), encoding="utf-8")
    (directory / PAGE).write_text(page(document), encoding="utf-8")


def plots(certificate: Certificate) -> dict[str, str]:
    """The plots of the page as SVG, by file name."""
    return {
        "accuracy-latency.svg": accuracy_latency(certificate.curve),
        "layers.svg": layer_sensitivity(certificate.layers),
    }
