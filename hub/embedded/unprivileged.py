"""Whom PostgreSQL runs as: it refuses to run as root."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from hub.embedded.errors import CannotStart

SYSTEM_USER = "pgserver"  # the name that the package with PostgreSQL's binaries uses too
_CAPABILITIES = {"dac_read_search": 1 << 2, "dac_override": 1 << 1}  # capability.h; the lesser one first


@dataclass(frozen=True)
class Identity:
    """A user, and the options of setpriv(1) to become it; `uid` None means that nothing has to change."""

    uid: int | None
    gid: int | None
    options: tuple[str, ...]

    def own(self, directory: Path) -> None:
        """Give `directory` (not what lies below it) to the user."""
        if self.uid is not None and self.gid is not None:
            os.chown(directory, self.uid, self.gid)


def database_identity() -> Identity:
    """This user; or, for root, the system user, who is made when there is none yet."""
    if os.geteuid() != 0:
        return Identity(None, None, ())
    user = _system_user()
    return Identity(
        user.pw_uid,
        user.pw_gid,
        (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--no-new-privs", *_passage()),
    )


def _passage() -> tuple[str, ...]:
    """Options that let the user pass through directories that are closed to it.

    The data directory is root's (0700), and the environment may lie below /root: opening those to everybody, as the
    package itself does, is worse than one capability for one process. `no_setuid_fixup` makes access(2), with which
    PostgreSQL looks at its own binary, honour the capability as well.
    """
    held = _held_capabilities()
    for name, bit in _CAPABILITIES.items():
        if held & bit:
            only = f"-all,+{name}"
            return (
                f"--inh-caps={only}",
                f"--ambient-caps={only}",
                f"--bounding-set={only}",
                "--securebits=+no_setuid_fixup",
            )
    return ()


def _held_capabilities() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapPrm:"):
            return int(line.split()[1], 16)
    return 0


def _system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotStart(
            "PostgreSQL does not run as root, and a user for it could not be made.",
            f"Run `{' '.join(command)}`, or run conch as another user.",
        ) from error
    return pwd.getpwnam(SYSTEM_USER)
