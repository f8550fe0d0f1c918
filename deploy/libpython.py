"""Succeed when this interpreter's shared library is on the machine: Triton's Python backend embeds Python."""

import sys
import sysconfig
from pathlib import Path

NAME = f"libpython{sys.version_info.major}.{sys.version_info.minor}.so.1.0"
MULTIARCH = sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu"
PLACES = (
    sysconfig.get_config_var("LIBDIR"),
    f"{sys.base_prefix}/lib",
    f"/usr/lib/{MULTIARCH}",
    "/usr/local/lib",
    "/usr/lib64",
    "/usr/lib",
)

sys.exit(0 if any(place and (Path(place) / NAME).exists() for place in PLACES) else 1)
