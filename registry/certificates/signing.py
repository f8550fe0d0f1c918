"""Signing a certificate, and verifying one offline: Ed25519 (RFC 8032) over canonical JSON (RFC 8785)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from registry.certificates.document import Document, Signature
from registry.certificates.errors import (
    CannotSign,
    MalformedSignature,
    NotACertificate,
    Tampered,
    UnknownAlgorithm,
    Unsigned,
    UntrustedKey,
)
from registry.certificates.keys import key_id
from registry.certificates.text import plain
from registry.spec.certificate import Certificate

ALGORITHM = "Ed25519"
DOMAIN = b"conch-certificate-v1\n"
"""Stands before what is signed, so that no signature made for another purpose with the same key passes for one."""

_ASK_AGAIN = "Get the certificate again from whoever signed it."


@dataclass(frozen=True)
class Verified:
    """A certificate whose signature fits. Only where `trusted` is it known who signed: the owner of a key given."""

    certificate: Certificate
    key_id: str
    trusted: bool


def sign(certificate: Certificate, key: Ed25519PrivateKey) -> Document:
    """The certificate with a signature by `key`. Raises CannotSign where a figure is NaN or infinite."""
    unsigned = Document(certificate.model_dump(mode="json"), None)
    try:
        message = DOMAIN + unsigned.canonical()
    except NotACertificate as error:
        raise CannotSign(
            f"The certificate cannot be signed. {error.message}", "Measure again what is no number."
        ) from error
    public = key.public_key()
    signature = Signature(
        algorithm=ALGORITHM,
        key_id=key_id(public),
        public_key=base64.b64encode(public.public_bytes_raw()).decode(),
        value=base64.b64encode(key.sign(message)).decode(),
    )
    return Document(unsigned.content, signature)


def verify(document: Document, trusted: Collection[Ed25519PublicKey] | None = None) -> Verified:
    """Check the signature against the `trusted` keys, or where None are given against the key in the document.

    The latter proves only that nothing was changed since somebody signed it: whoever changes a certificate can sign it
    anew with a key of their own. Raises Unsigned, UnknownAlgorithm, MalformedSignature, UntrustedKey, Tampered or
    NotACertificate, in this order.
    """
    signature = document.signature
    if signature is None:
        raise Unsigned("The certificate is not signed.", _ASK_AGAIN)
    if signature.algorithm != ALGORITHM:
        name = plain(signature.algorithm, 40)
        raise UnknownAlgorithm(f"The certificate is signed with {name!r}, not with {ALGORITHM}.", "Use a newer Conch.")
    public, value = _public_key(signature), _decoded(signature.value, 64, "signature")
    if trusted is not None:
        _check_trust(public, trusted)
    try:
        public.verify(value, DOMAIN + document.canonical())
    except InvalidSignature as error:
        raise Tampered("The certificate was changed after it was signed, or the signature was.", _ASK_AGAIN) from error
    return Verified(document.certificate(), key_id(public), trusted=trusted is not None)


def _public_key(signature: Signature) -> Ed25519PublicKey:
    public = Ed25519PublicKey.from_public_bytes(_decoded(signature.public_key, 32, "public key"))
    if signature.key_id != key_id(public):
        named = plain(signature.key_id, 40)
        raise MalformedSignature(f"The signature names the key {named!r} and carries {key_id(public)}.", _ASK_AGAIN)
    return public


def _decoded(text: str, length: int, what: str) -> bytes:
    """The bytes in `text`, which must be the one Base64 of them: what differs in unused bits was changed, too."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:  # ValueError: it is not ASCII
        raise MalformedSignature(f"The {what} is not Base64.", _ASK_AGAIN) from error
    if len(value) != length or base64.b64encode(value).decode() != text:
        raise MalformedSignature(f"The {what} is not {length} bytes in Base64.", _ASK_AGAIN)
    return value


def _check_trust(public: Ed25519PublicKey, trusted: Collection[Ed25519PublicKey]) -> None:
    if public not in trusted:
        known = ", ".join(sorted(key_id(key) for key in trusted)) or "none"
        raise UntrustedKey(
            f"The certificate is signed with the key {key_id(public)}, which is not among the trusted ones ({known}).",
            "Ask whoever gave you the certificate for their public key by another way, and judge whether to trust it.",
        )
