"""A system-call filter: what a conversion never needs is refused, whatever runs in the process (seccomp(2), Linux 3.5).

Landlock and a network namespace leave Unix sockets with a path within reach, and with them a database that trusts
whoever connects. Without `socket` there is nothing to connect with; without processes, limits hold for the whole child.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF: ld, jeq, jge, jset, ret
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data; its lower half comes first

_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_REFUSE = 0x00050000 | errno.EPERM
_ABSENT = 0x00050000 | errno.ENOSYS

_CLONE_THREAD = 0x00010000

# Name: number on x86_64 and on aarch64, None where it has no such call (asm/unistd_64.h, asm-generic/unistd.h).
_REFUSED: dict[str, tuple[int, int | None]] = {
    # Sockets of every kind, and the ring that opens them without these calls.
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "io_uring_setup": (425, 425),
    # Other processes: to begin them, to look into them, to take their files.
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    # Namespaces, mounts, and files past their paths.
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "quotactl": (179, 60),
    # Pipes with a path and devices: whoever opened one afterwards would wait for ever.
    "mknod": (133, None),
    "mknodat": (259, 33),
    # The kernel and the machine, and where the kernel's holes have been.
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "syslog": (103, 116),
    "iopl": (172, None),
    "ioperm": (173, None),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
}


@dataclass(frozen=True)
class _Machine:
    """`audit` is the kernel's name of the calling convention; numbers from `end` on belong to another one (x32)."""

    audit: int
    column: int
    clone: int
    clone3: int = 435
    end: int | None = None


_MACHINES = {
    "x86_64": _Machine(audit=0xC000003E, column=0, clone=56, end=512),
    "aarch64": _Machine(audit=0xC00000B7, column=1, clone=220),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def restrict() -> bool:
    """Refuse these calls to this process, for good. False where the kernel or the processor knows no such filter.

    Needs `no_new_privs`, and holds for threads that begin afterwards: call it before there is a second.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None or sys.maxsize < 2**32 or sys.byteorder != "little":
        return False
    instructions = b"".join(_instructions(machine))
    program = _Program(len(instructions) // 8, instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0) == 0)


def _instructions(machine: _Machine) -> Iterator[bytes]:
    """The filter: each test skips the answer that follows it where it does not hold."""
    yield _instruction(_LOAD, _ARCHITECTURE)
    yield _instruction(_EQUAL, machine.audit, then=1)
    yield _instruction(_RETURN, _KILL)  # 32-bit calls have other numbers
    yield _instruction(_LOAD, _NUMBER)
    if machine.end is not None:
        yield from _answer(_AT_LEAST, machine.end, _REFUSE)
    for numbers in _REFUSED.values():
        number = numbers[machine.column]
        if number is not None:
            yield from _answer(_EQUAL, number, _REFUSE)
    yield from _answer(_EQUAL, machine.clone3, _ABSENT)  # its flags are out of sight; the C library then takes clone
    yield from _answer(_EQUAL, machine.clone, _ALLOW, unless=True)
    yield _instruction(_LOAD, _FIRST_ARGUMENT)
    yield from _answer(_ANY_BIT, _CLONE_THREAD, _ALLOW)
    yield _instruction(_RETURN, _REFUSE)


def _answer(test: int, value: int, answer: int, *, unless: bool = False) -> tuple[bytes, bytes]:
    return _instruction(test, value, then=int(unless), otherwise=int(not unless)), _instruction(_RETURN, answer)


def _instruction(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    """struct sock_filter: after a test, how many instructions to skip where it holds and where it does not."""
    return struct.pack("=HBBI", code, then, otherwise, value)
