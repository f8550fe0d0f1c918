"""What can be wrong with a certificate as a document: one class for each thing that a reader would do differently."""

from __future__ import annotations

from registry.spec.errors import RemediedError


class CertificateError(RemediedError):
    """A document or a key that cannot be used; `remedy` says what its reader can do."""


class NotACertificate(CertificateError):
    """The file is something else, or is a certificate of a format that this Conch does not know."""


class Unsigned(CertificateError):
    """A certificate without a signature: it may be shown, and proves nothing."""


class MalformedSignature(CertificateError):
    """The signature cannot be read: not Base64, of the wrong length, or it names a key that it does not carry."""


class UnknownAlgorithm(CertificateError):
    """Signed with something else than Ed25519."""


class UntrustedKey(CertificateError):
    """Signed with a key that is none of the trusted ones. Whether the content is intact was not looked at."""


class Tampered(CertificateError):
    """The signature does not fit the content: one of the two was changed after signing."""


class CannotSign(CertificateError):
    """The certificate has a figure that JSON has no number for, such as NaN."""


class UnusableKey(CertificateError):
    """A key file that is missing, cannot be read or written, or holds another kind of key."""
