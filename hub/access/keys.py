"""The format of an API key: `conch_live_<32 base62 characters><6 base62 characters of CRC-32>`.

The prefix is for secret scanners; the checksum lets a typo be refused without a look-up.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib
from enum import StrEnum

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_CHARACTERS = 32  # 190 bits
_CHECKSUM_CHARACTERS = 6
_DISPLAYED_RANDOM_CHARACTERS = 4


class KeyKind(StrEnum):
    """A tenant's key, or one of the platform's operators."""

    LIVE = "live"
    ADMIN = "admin"

    @property
    def prefix(self) -> str:
        """What every key of this kind starts with."""
        return f"conch_{self.value}_"


def generate(kind: KeyKind) -> str:
    """A new secret; it is shown once and stored nowhere."""
    body = kind.prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARACTERS))
    return body + _checksum(body)


def is_well_formed(secret: str) -> bool:
    """Whether prefix, length and checksum are right; says nothing about whether the key exists."""
    kind = next((kind for kind in KeyKind if secret.startswith(kind.prefix)), None)
    if kind is None or len(secret) != len(kind.prefix) + _RANDOM_CHARACTERS + _CHECKSUM_CHARACTERS:
        return False
    body, checksum = secret[:-_CHECKSUM_CHARACTERS], secret[-_CHECKSUM_CHARACTERS:]
    return body.isascii() and _checksum(body) == checksum


def digest(secret: str) -> bytes:
    """What is stored of a secret. A random key of 190 bits needs no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


def displayable(secret: str) -> str:
    """The start of a secret, enough to recognise it in a list."""
    kind = next(kind for kind in KeyKind if secret.startswith(kind.prefix))
    return secret[: len(kind.prefix) + _DISPLAYED_RANDOM_CHARACTERS] + "…"


def _checksum(body: str) -> str:
    value = zlib.crc32(body.encode())
    characters = []
    for _ in range(_CHECKSUM_CHARACTERS):
        value, remainder = divmod(value, len(_ALPHABET))
        characters.append(_ALPHABET[remainder])
    return "".join(reversed(characters))
