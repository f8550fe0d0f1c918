"""`conch status`: what a running `conch up` says of its parts."""

from __future__ import annotations

from pathlib import Path

from hub.embedded.control import PartStatus, ask_status
from hub.embedded.directory import DataDirectory
from hub.embedded.errors import CannotStart
from hub.embedded.sockets import SocketDirectory
from hub.embedded.supervisor import status_socket
from hub.suggestions import conch


def status(path: Path) -> list[PartStatus]:
    """Every part of the `conch up` on the data directory `path`. Raises CannotStart where none runs or answers."""
    data = DataDirectory(path.absolute())
    pid = data.running()
    if pid is None:
        raise CannotStart(
            f"Conch is not running on {data.root}.", f"Start it with `{conch('up', '--data', data.root)}`."
        )
    try:
        return ask_status(status_socket(SocketDirectory(data).find()))
    except OSError as error:
        raise CannotStart(
            f"Conch (pid {pid}) does not answer ({error}).", f"It may be starting or stopping; see {data.logs}."
        ) from error
