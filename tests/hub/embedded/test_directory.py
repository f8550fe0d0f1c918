from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub.embedded.directory import DataDirectory
from hub.embedded.errors import CannotStart


def test_nobody_else_may_look_in(data: DataDirectory) -> None:
    assert data.root.stat().st_mode & 0o777 == 0o700
    assert data.postgres.stat().st_mode & 0o777 == 0o700


def test_a_directory_that_cannot_be_written_says_what_to_do() -> None:
    with pytest.raises(CannotStart, match=r"cannot be written.*--data"):
        DataDirectory(Path("/proc/conch")).prepare()


def test_a_file_in_the_place_of_the_directory_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match=r"cannot be written.*--data"):
        DataDirectory(tmp_path / "file").prepare()


def test_a_second_taker_is_told_who_has_it(data: DataDirectory) -> None:
    lock = data.lock()
    with pytest.raises(CannotStart, match=rf"already running .*pid {os.getpid()}.*conch down --data"):
        data.lock()
    assert data.running() == os.getpid()
    lock.release()
    assert data.running() is None
    data.lock().release()


def test_the_lock_of_a_killed_process_is_free(data: DataDirectory) -> None:
    code = (
        "import os, sys; from pathlib import Path; from hub.embedded.directory import DataDirectory; "
        "lock = DataDirectory(Path(sys.argv[1])).lock(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(data.root)], check=False)
    data.lock().release()
