"""The code published with every model, so that a version runs for ever with the code it was certified with."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import registry.spec
import triton_repo.runtime

_NOT_IN_TRITON = {"certificate.py"}  # it stays outside, as registry.spec says: changing it changes no model


@cache
def bundle() -> tuple[tuple[str, bytes], ...]:
    """The files of a version directory that are code: relative path and content, in a stable order.

    Read once, so that a process whose installation is upgraded under it publishes what `runtime_hash` says.
    """
    spec, runtime = Path(registry.spec.__file__).parent, Path(triton_repo.runtime.__file__).parent
    files = [("model.py", runtime / "model.py")]
    for package in (spec, runtime):
        files.append((f"{package.parent.name}/__init__.py", package.parent / "__init__.py"))
        modules = (file for file in sorted(package.glob("*.py")) if file.name not in _NOT_IN_TRITON)
        files.extend((f"{package.parent.name}/{package.name}/{file.name}", file) for file in modules)
    return tuple((relative, path.read_bytes()) for relative, path in files)


def write_code(version: Path) -> None:
    """Write the bundle into the version directory of a model."""
    for relative, content in bundle():
        path = version / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    # Python would keep compiled code here, and Triton take that for a new version of the model: a file in the
    # directory's place leaves it nowhere to write. For the modules below, model.py says so itself.
    (version / "__pycache__").write_bytes(b"")


@cache
def runtime_hash() -> str:
    """SHA-256 (hexadecimal) of the bundle as this process would publish it: of every path, length and content."""
    digest = hashlib.sha256()
    for path, content in bundle():
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
