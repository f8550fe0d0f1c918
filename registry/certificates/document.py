"""A certificate as a JSON document: the certificate itself, and beside it the signature.

    {"certificate": {…}, "signature": {"algorithm": "Ed25519", "key_id": …, "public_key": …, "value": …}}

Unsigned, `signature` is null; a bare certificate is read as such a document.

The certificate is kept as it was read and not as our classes would write it: the signature is over what was written,
and a field that a later version adds with a default may not break it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import rfc8785
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from registry.certificates.errors import MalformedSignature, NotACertificate
from registry.certificates.text import plain
from registry.spec.certificate import Certificate

LARGEST = 16 * 2**20
"""Bytes of a document. One of 500 layers and 100 candidates has 200 kB."""

_EXACT = 2**53 - 1
_REMEDY = "Give a file that `conch certificate show --json` or the API wrote."


class Signature(BaseModel):
    """Who signed, and the signature: `public_key` (32 bytes) and `value` (64 bytes) in Base64.

    `key_id` is the first 16 hexadecimal digits of the SHA-256 of the raw public key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    algorithm: str
    key_id: str
    public_key: str
    value: str


@dataclass(frozen=True)
class Document:
    """A certificate's JSON object and its signature; None where it is unsigned."""

    content: Mapping[str, JsonValue]
    signature: Signature | None

    def certificate(self) -> Certificate:
        """The certificate in our words. Raises NotACertificate where it is none of a format that we know.

        Strictly, and as it was signed: "12" is not read as 12, or what is shown would be another thing; but 12.0 is, as
        they are one number in JSON.
        """
        try:
            return Certificate.model_validate_json(self.canonical(), strict=True)
        except ValidationError as error:
            raise NotACertificate(f"This is no certificate: {_first(error)}.", _REMEDY) from error

    def canonical(self) -> bytes:
        """The certificate in RFC 8785: one text for one content. Raises NotACertificate where there is none."""
        return _canonical(self.content)

    def json(self) -> str:
        """The document as a file, in ASCII, with a line for each field; unsigned with `null` for the signature."""
        signature = self.signature.model_dump() if self.signature is not None else None
        return json.dumps({"certificate": self.content, "signature": signature}, indent=2, allow_nan=False) + "\n"


def read_document(data: bytes) -> Document:
    """The document in `data`: signed, or a bare certificate.

    Raises NotACertificate for anything else, also where a key is there twice (two readers might then see two
    certificates) or a number is none that a double can hold; MalformedSignature where the signature has other fields.
    """
    members = _object(_parse(data))
    if "certificate" not in members:
        document = Document(members, None)
    elif set(members) <= {"certificate", "signature"}:
        document = Document(_object(members["certificate"]), _signature(members.get("signature")))
    else:
        raise NotACertificate("Beside the certificate and its signature there is more, which nobody signed.", _REMEDY)
    document.canonical()
    return document


def _parse(data: bytes) -> JsonValue:
    if len(data) > LARGEST:
        raise NotACertificate(f"The document has more than {LARGEST // 2**20} MiB.", _REMEDY)
    try:
        parsed: JsonValue = json.loads(
            data, object_pairs_hook=_without_doubles, parse_constant=_no_number, parse_int=_number
        )
    except (ValueError, RecursionError) as error:
        raise NotACertificate(f"This is no JSON document: {plain(str(error), 200)}.", _REMEDY) from error
    return parsed


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has a key twice")
    return members


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number in JSON")


def _number(digits: str) -> int | float:
    """As RFC 8785 reads it: beyond 2⁵³ a number is the nearest double. PostgreSQL writes 1e20 as such an integer."""
    as_double = float(digits)
    return int(digits) if abs(as_double) <= _EXACT else as_double


def _object(value: JsonValue) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise NotACertificate("This is no certificate: it is not a JSON object.", _REMEDY)
    return value


def _signature(value: JsonValue) -> Signature | None:
    if value is None:
        return None
    try:
        return Signature.model_validate(value)
    except ValidationError as error:
        raise MalformedSignature(f"The signature cannot be read: {_first(error)}.", _REMEDY) from error


def _canonical(content: Mapping[str, JsonValue]) -> bytes:
    try:
        return rfc8785.dumps(dict(content))
    except (ValueError, RecursionError) as error:  # a lone surrogate in a key is a UnicodeEncodeError, a ValueError
        raise NotACertificate(f"This has no canonical form: {plain(str(error), 200)}.", _REMEDY) from error


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return plain(f"{where}: {first['msg']}" if where else first["msg"], 200)
