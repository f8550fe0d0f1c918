from __future__ import annotations

import dataclasses
import signal
import subprocess
from pathlib import Path

from hub.embedded.processes import Process, end, session_members, working_in


def _sleeper(cwd: Path) -> subprocess.Popen[bytes]:
    # The shell stays, because it has a second command to come back to: a leader with a helper.
    return subprocess.Popen(["sh", "-c", "sleep 600; true"], cwd=cwd, start_new_session=True)


def test_a_process_is_known_by_more_than_its_number(tmp_path: Path) -> None:
    with _sleeper(tmp_path) as child:
        process = Process.of(child.pid, "/bin/sh")
        assert process is not None
        assert process.is_alive()
        assert not dataclasses.replace(process, started=process.started - 1).is_alive()
        assert not dataclasses.replace(process, boot="another").is_alive()
        assert not dataclasses.replace(process, program="postgres").is_alive()
        end(session_members(process), gently=signal.SIGTERM, seconds=5)
        assert not process.is_alive()


def test_a_record_survives_and_a_broken_one_is_none(tmp_path: Path) -> None:
    with _sleeper(tmp_path) as child:
        process = Process.of(child.pid, "sh")
        assert process is not None
        process.save(tmp_path / "record.json")
        assert Process.load(tmp_path / "record.json") == process
        end(session_members(process), gently=signal.SIGKILL, seconds=5)
    (tmp_path / "record.json").write_text("{")
    assert Process.load(tmp_path / "record.json") is None


def test_helpers_are_found_after_their_leader_has_gone(tmp_path: Path) -> None:
    with _sleeper(tmp_path) as child:
        process = Process.of(child.pid, "sh")
        assert process is not None
        while len(session_members(process)) < 2:  # until the shell has started its helper
            pass
        child.kill()
        child.wait()
        (helper,) = session_members(process)
        assert working_in(tmp_path) == [helper]
        end([helper], gently=signal.SIGTERM, seconds=5)
        assert session_members(process) == []


def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    script = "trap '' TERM; echo ready; while true; do sleep 1; done"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        process = Process.of(child.pid, "sh")
        assert process is not None
        end(session_members(process), gently=signal.SIGTERM, seconds=0.2)
        assert child.wait() == -signal.SIGKILL
