"""What of a processor decides the speed and the saturation of INT8: a version serves only where it was certified."""

from __future__ import annotations

import platform
from pathlib import Path

_CLASSES = (
    ("amx_int8", "AMX-INT8"),
    ("avx512_vnni", "AVX512-VNNI"),
    ("avx_vnni", "AVX-VNNI"),
    ("avx2", "AVX2"),
)
_CPUINFO = Path("/proc/cpuinfo")


def hardware_class(cpuinfo: str | None = None) -> str:
    """This machine's class, or that of the one whose /proc/cpuinfo is given: "x86_64 AVX512-VNNI"."""
    flags = _flags(cpuinfo)
    return f"{platform.machine()} {next((name for flag, name in _CLASSES if flag in flags), 'baseline')}"


def saturates(cpuinfo: str | None = None) -> bool:
    """Whether U8S8 products saturate pairs of int16 here: x86 without VNNI does, by up to 15 %."""
    return platform.machine() == "x86_64" and not {"avx512_vnni", "avx_vnni"} & _flags(cpuinfo)


def processor(cpuinfo: str | None = None) -> str:
    """The processor's own name."""
    return _fields(cpuinfo).get("model name", "unknown")


def _flags(cpuinfo: str | None) -> set[str]:
    return set(_fields(cpuinfo).get("flags", "").split())


def _fields(cpuinfo: str | None) -> dict[str, str]:
    """The fields of the first processor."""
    text = _CPUINFO.read_text(encoding="utf-8") if cpuinfo is None else cpuinfo
    lines = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}
