from __future__ import annotations

import base64
import copy
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.certificates.document import LARGEST, read_document
from registry.certificates.errors import (
    CannotSign,
    CertificateError,
    MalformedSignature,
    NotACertificate,
    Tampered,
    UnknownAlgorithm,
    Unsigned,
    UntrustedKey,
)
from registry.certificates.keys import key_id, public_pem
from registry.certificates.signing import DOMAIN, sign, verify
from tests.registry.certificates.given import CERTIFICATE, certificate, layer
from tests.registry.certificates.places import LEAVES, VALUES, Where, at

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
TRUSTED = [OTHER.public_key(), KEY.public_key()]
SIGNED: dict[str, Any] = json.loads(sign(CERTIFICATE, KEY).json())


def read(document: object) -> Any:
    return read_document(json.dumps(document).encode())


def changed(**signature: str) -> Any:
    return read({**SIGNED, "signature": {**SIGNED["signature"], **signature}})


def test_what_was_signed_is_verified_and_is_the_same_certificate() -> None:
    verified = verify(read(SIGNED), TRUSTED)
    assert verified.certificate == CERTIFICATE
    assert verified.trusted
    assert verified.key_id == key_id(KEY.public_key()) == SIGNED["signature"]["key_id"]


def test_without_a_trusted_key_a_certificate_is_intact_and_not_trusted() -> None:
    assert not verify(read(SIGNED)).trusted


def test_no_key_trusts_nothing() -> None:
    with pytest.raises(UntrustedKey):
        verify(read(SIGNED), [])


def test_layout_and_order_of_the_json_do_not_matter() -> None:
    turned = {key: SIGNED["certificate"][key] for key in reversed(SIGNED["certificate"])}
    assert verify(read({"signature": SIGNED["signature"], "certificate": turned}), TRUSTED).trusted


def test_a_field_that_a_later_version_defaults_does_not_break_a_signature() -> None:
    """The signature is over what was written: a certificate without `layers` stays one without."""
    older = sign(certificate(layers=[]), KEY)
    content = {key: value for key, value in older.content.items() if key != "layers"}
    value = base64.b64encode(KEY.sign(DOMAIN + type(older)(content, None).canonical())).decode()
    document = {
        "certificate": content,
        "signature": {**SIGNED["signature"], "value": value},
    }
    assert verify(read(document), TRUSTED).certificate.layers == []


@given(path=st.sampled_from(LEAVES), value=VALUES)
@settings(max_examples=250, deadline=None)
def test_a_change_of_any_field_is_found(path: Where, value: object) -> None:
    document = copy.deepcopy(SIGNED)
    holder, key = at(document, path)
    same = holder[key] == value and isinstance(holder[key], bool) == isinstance(value, bool)
    holder[key] = value
    if same:  # 1 and 1.0 are one number in JSON
        assert verify(read(document), TRUSTED).trusted
        return
    with pytest.raises(Tampered):
        verify(read(document), TRUSTED)


@given(path=st.sampled_from([path for path in LEAVES if path]))
@settings(deadline=None)
def test_a_field_that_is_missing_or_new_is_found(path: Where) -> None:
    document = copy.deepcopy(SIGNED)
    holder, key = at(document, path)
    del holder[key]
    with pytest.raises(Tampered):
        verify(read(document), TRUSTED)
    document = copy.deepcopy(SIGNED)
    holder, key = at(document, path)
    if isinstance(holder, list):
        holder.append(holder[0])
    else:
        holder["one more"] = 1
    with pytest.raises(Tampered):
        verify(read(document), TRUSTED)


@given(field=st.sampled_from(["key_id", "public_key", "value"]), position=st.integers(0, 200), other=st.characters())
@settings(max_examples=150, deadline=None)
def test_a_change_of_any_letter_of_the_signature_is_found(field: str, position: int, other: str) -> None:
    text = SIGNED["signature"][field]
    index = position % len(text)
    turned = text[:index] + other + text[index + 1 :]
    if turned == text:
        return
    try:
        document = changed(**{field: turned})
    except NotACertificate:  # half a surrogate is no text
        return
    with pytest.raises((MalformedSignature, Tampered)):
        verify(document, TRUSTED)


def test_a_signature_by_another_key_is_not_trusted() -> None:
    forged = sign(certificate(verdict="certified"), OTHER)
    assert not verify(forged).trusted
    with pytest.raises(UntrustedKey, match=f"{key_id(OTHER.public_key())}.*{key_id(KEY.public_key())}"):
        verify(forged, [KEY.public_key()])


def test_a_trusted_key_on_a_signature_of_another_does_not_help() -> None:
    forged = json.loads(sign(CERTIFICATE, OTHER).json())
    forged["signature"] |= {key: SIGNED["signature"][key] for key in ("public_key", "key_id")}
    with pytest.raises(Tampered):
        verify(read(forged), TRUSTED)


def test_a_signature_made_for_another_purpose_does_not_pass() -> None:
    bare = base64.b64encode(KEY.sign(read(SIGNED).canonical())).decode()
    with pytest.raises(Tampered):
        verify(changed(value=bare), TRUSTED)


@pytest.mark.parametrize("algorithm", ["none", "", "ed25519", "RS256", "\x1b[31m"])
def test_another_algorithm_is_refused_by_its_name(algorithm: str) -> None:
    with pytest.raises(UnknownAlgorithm, match="not with Ed25519") as refused:
        verify(changed(algorithm=algorithm), TRUSTED)
    assert "\x1b" not in refused.value.message


@pytest.mark.parametrize("field", ["public_key", "value"])
@pytest.mark.parametrize("text", ["", "AAAA", "not base64!", "ä", "A" * 89, "=" * 88])
def test_malformed_base64_is_told_from_tampering(field: str, text: str) -> None:
    with pytest.raises(MalformedSignature, match="Base64"):
        verify(changed(**{field: text}), TRUSTED)


def test_bits_of_base64_that_say_nothing_may_not_differ() -> None:
    value = SIGNED["signature"]["value"]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    turned = value[:-3] + letters[letters.index(value[-3]) ^ 1] + "=="
    assert base64.b64decode(turned) == base64.b64decode(value)
    with pytest.raises(MalformedSignature):
        verify(changed(value=turned), TRUSTED)


def test_a_signature_with_other_fields_is_malformed() -> None:
    with pytest.raises(MalformedSignature, match=r"signature cannot be read: .*\btrusted\b"):
        read({**SIGNED, "signature": {**SIGNED["signature"], "trusted": "yes"}})
    with pytest.raises(MalformedSignature, match="signature cannot be read"):
        read({**SIGNED, "signature": "valid"})


def test_a_bare_certificate_is_unsigned() -> None:
    for document in (SIGNED["certificate"], {"certificate": SIGNED["certificate"]}, {**SIGNED, "signature": None}):
        assert read(document).certificate() == CERTIFICATE
        with pytest.raises(Unsigned):
            verify(read(document), TRUSTED)


def test_nothing_stands_beside_the_certificate_unsigned() -> None:
    with pytest.raises(NotACertificate, match="nobody signed"):
        read({**SIGNED, "note": "certified for everything"})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\xff\xfe",
        b"[]",
        b'"certificate"',
        b"{",
        b'{"certificate": []}',
        b'{"a": 1, "a": 2}',
        b'{"certificate": {"verdict": "rejected", "verdict": "certified"}}',
        b'{"loss": NaN}',
        b'{"loss": 1e400}',
        b'{"a": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b" " * (LARGEST + 1),
    ],
)
def test_what_is_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(NotACertificate):
        read_document(data)


def test_another_format_is_no_certificate_even_when_it_is_signed() -> None:
    content = {**SIGNED["certificate"], "format": 3}
    value = base64.b64encode(KEY.sign(DOMAIN + read(content).canonical())).decode()
    with pytest.raises(NotACertificate, match="format"):
        verify(read({"certificate": content, "signature": {**SIGNED["signature"], "value": value}}), TRUSTED)


@pytest.mark.parametrize("seconds", [math.nan, math.inf])
def test_a_figure_that_is_no_number_is_not_signed(seconds: float) -> None:
    with pytest.raises(CannotSign):
        sign(certificate(seconds=seconds), KEY)


def test_a_signature_survives_a_database_that_writes_large_numbers_out() -> None:
    """PostgreSQL's jsonb gives 1e+20 back as 100000000000000000000."""
    document = sign(certificate(layers=[layer("large", 1e20)]), KEY).json()
    assert "1e+20" in document
    assert verify(read_document(document.replace("1e+20", "1" + "0" * 20).encode()), TRUSTED).trusted


def test_the_same_certificate_and_key_give_the_same_bytes() -> None:
    assert sign(CERTIFICATE, KEY).json() == sign(CERTIFICATE, KEY).json()


@given(
    data=st.binary(max_size=200)
    | st.recursive(VALUES, lambda v: st.dictionaries(st.text(), v)).map(
        lambda value: json.dumps({"certificate": value, "signature": value}).encode()
    )
)
@settings(max_examples=100, deadline=None)
def test_no_input_breaks_the_verifier(data: bytes) -> None:
    with pytest.raises(CertificateError):
        verify(read_document(data), TRUSTED)


def test_the_documentation_verifies_without_conch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[3] / "docs" / "certificates.md").read_text()
    script = page.split("```python\n")[1].split("```")[0]
    assert "conch." not in script
    assert "registry" not in script
    assert {SIGNED["signature"]["key_id"], SIGNED["signature"]["public_key"]} <= set(page.split('"'))
    monkeypatch.chdir(tmp_path)
    Path("public.pem").write_text(public_pem(KEY))
    Path("certificate.json").write_text(json.dumps(SIGNED))
    subprocess.run([sys.executable, "-c", script], check=True)
    Path("certificate.json").write_text(json.dumps(SIGNED).replace("0.0713", "0.0712"))
    refused = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "InvalidSignature" in refused.stderr
