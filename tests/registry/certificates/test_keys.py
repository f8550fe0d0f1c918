from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from registry.certificates.errors import UnusableKey
from registry.certificates.keys import key_id, load, load_or_create, load_public, public_pem


def test_a_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.pem"
    first = load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    assert before.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert key_id(load_or_create(path).public_key()) == key_id(first.public_key())
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["signing.pem"]


@pytest.mark.parametrize("content", [b"", b"what somebody needs", b"-----BEGIN PRIVATE KEY-----\n"])
def test_what_is_there_is_never_overwritten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "signing.pem"
    path.write_bytes(content)
    with pytest.raises(UnusableKey):
        load_or_create(path)
    assert path.read_bytes() == content


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    path.symlink_to(tmp_path / "elsewhere.pem")
    with pytest.raises(UnusableKey, match="cannot be read"):
        load_or_create(path)
    assert not (tmp_path / "elsewhere.pem").exists()


def test_all_who_make_a_key_at_once_get_the_same(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    start = threading.Barrier(8)
    found: list[str] = []

    def make() -> None:
        start.wait()
        found.append(key_id(load_or_create(path).public_key()))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["signing.pem"]


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnusableKey, match="cannot be written"):
        load_or_create(tmp_path / "file" / "signing.pem")


def test_the_public_key_goes_through_a_file(tmp_path: Path) -> None:
    key = load_or_create(tmp_path / "signing.pem")
    path = tmp_path / "public.pem"
    path.write_text(public_pem(key))
    assert path.read_text().startswith("-----BEGIN PUBLIC KEY-----")
    assert load_public(path) == key.public_key()
    assert public_pem(load_public(path)) == public_pem(key)


def test_other_keys_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    load_or_create(tmp_path / "private.pem")
    with pytest.raises(UnusableKey, match="holds a private key"):
        load_public(tmp_path / "private.pem")
    path.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    )
    with pytest.raises(UnusableKey, match="no private key that can be read"):
        load(path)
    other = rsa.generate_private_key(65537, 2048)
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(UnusableKey, match="not Ed25519"):
        load(path)
    path.write_bytes(other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(UnusableKey, match="not Ed25519"):
        load_public(path)
    path.write_bytes(b"-----BEGIN PUBLIC KEY-----\n")
    with pytest.raises(UnusableKey, match="no public key that can be read"):
        load_public(path)
    with pytest.raises(UnusableKey, match="cannot be read"):
        load(tmp_path / "missing.pem")
