"""Ed25519 keys in files: the private one is made once, is for its owner only, and is never overwritten."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from registry.certificates.errors import UnusableKey

_LARGEST = 64 * 2**10


def load_or_create(path: Path) -> Ed25519PrivateKey:
    """The signing key in `path` (PKCS#8, PEM, mode 0600), made where there is none.

    It appears whole or not at all, and of two processes that make it at once one wins and both get its key. Raises
    UnusableKey.
    """
    if not path.exists():
        try:
            _create(path)
        except OSError as error:
            raise UnusableKey(
                f"The signing key {path} cannot be written ({error.strerror}).",
                "Choose a directory that can be written.",
            ) from error
    return load(path)


def load(path: Path) -> Ed25519PrivateKey:
    """The signing key in `path`. Raises UnusableKey."""
    remedy = "Give a private Ed25519 key in PKCS#8 PEM, without a password."
    try:
        key = load_pem_private_key(_read(path, "signing key"), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: it has a password
        raise UnusableKey(f"{path} holds no private key that can be read.", remedy) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UnusableKey(f"The key in {path} is not Ed25519.", remedy)
    return key


def load_public(path: Path) -> Ed25519PublicKey:
    """The public key in `path` (PEM). Raises UnusableKey, also for a private key: it does not belong where this is."""
    data = _read(path, "public key")
    remedy = "Give the public key, as `conch certificate key` prints it."
    if b"PRIVATE KEY" in data:
        raise UnusableKey(f"{path} holds a private key.", remedy)
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableKey(f"{path} holds no public key that can be read.", remedy) from error
    if not isinstance(key, Ed25519PublicKey):
        raise UnusableKey(f"The key in {path} is not Ed25519.", remedy)
    return key


def public_pem(key: Ed25519PrivateKey | Ed25519PublicKey) -> str:
    """The public key as a PEM file, to be given to whoever verifies."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def key_id(key: Ed25519PublicKey) -> str:
    """The key's short name: 16 hexadecimal digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def _read(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST)
    except OSError as error:
        raise UnusableKey(f"The {what} {path} cannot be read ({error.strerror}).", "Check its path.") from error


def _create(path: Path) -> None:
    """Write beside it, then link: unlike a rename, a link does not replace what is there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        os.link(beside, path)
    except FileExistsError:
        pass  # made meanwhile; or it is a symbolic link that leads nowhere, which `load` tells
    finally:
        beside.unlink()
    _sync(path.parent)


def _sync(directory: Path) -> None:
    """Have the name on the disk, too: a key that is gone after a power cut has signed for nobody."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
