"""On which processor the figures of a certificate were measured."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from registry.spec.certificate import Hardware

_CLASSES = (
    ("amx_int8", "AMX-INT8"),
    ("avx512_vnni", "AVX512-VNNI"),
    ("avx_vnni", "AVX-VNNI"),
    ("avx2", "AVX2"),
)
_CPUINFO = Path("/proc/cpuinfo")


def describe(cpuinfo: str | None = None) -> Hardware:
    """This machine, or the one whose /proc/cpuinfo is given."""
    fields = _fields(_CPUINFO.read_text(encoding="utf-8") if cpuinfo is None else cpuinfo)
    flags = set(fields.get("flags", "").split())
    kind = next((name for flag, name in _CLASSES if flag in flags), "baseline")
    return Hardware(
        hardware_class=f"{platform.machine()} {kind}",
        processor=fields.get("model name", "unknown"),
        cores=os.cpu_count() or 1,
    )


def saturates(cpuinfo: str | None = None) -> bool:
    """Whether U8S8 products saturate pairs of int16 here: x86 without VNNI does, by up to 15 %."""
    fields = _fields(_CPUINFO.read_text(encoding="utf-8") if cpuinfo is None else cpuinfo)
    return platform.machine() == "x86_64" and not {"avx512_vnni", "avx_vnni"} & set(fields.get("flags", "").split())


def _fields(cpuinfo: str) -> dict[str, str]:
    """The fields of the first processor."""
    lines = (line.partition(":") for line in cpuinfo.partition("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}
