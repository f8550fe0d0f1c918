"""What a message tells the operator to run: programs and packages that are surely the ones meant."""

from __future__ import annotations

import shlex
import shutil
import sys
import sysconfig
from pathlib import Path


def conch(*arguments: str | Path) -> str:
    """A command line of this Conch, to be pasted into a shell.

    `conch` alone where that is the program on PATH. Else, as after `make up`, its whole path: the name would find
    nothing, or another one.
    """
    script = Path(sysconfig.get_path("scripts")) / "conch"
    on_path = shutil.which("conch")
    if on_path is not None and script.exists() and Path(on_path).samefile(script):
        program = ["conch"]
    elif script.exists():
        program = [str(script)]
    else:
        program = [sys.executable, "-m", "hub"]
    return shlex.join([*program, *map(str, arguments)])


def install(*extras: str) -> str:
    """How to install packages that `extras` bring. From the source tree: in a registry the name may be a stranger's."""
    target = f".[{','.join(extras)}]"
    return f'run `make up`, or `pip install "{target}"`, in the source directory of Conch'
