"""`conch up --detach`: the start is watched in the foreground, what then runs stays in the background."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

READY = b"+"
STOPPING = (signal.SIGINT, signal.SIGTERM)


def in_background(run: Callable[[Callable[[], None]], int], log: Path) -> int:
    """Call `run` in a process of its own; return 0 once it is ready, or its exit code where it ends before.

    `run` gets the function to call when ready: from then on its output goes to `log`. Must be called before any
    thread is started, because it forks.
    """
    reading, writing = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)  # one that came now would end this process and not the child
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.setsid()  # a Ctrl-C or a closed terminal is none of its business
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        os._exit(_run(run, writing, log))
    os.close(writing)
    return _await_ready(child, reading)


def _run(run: Callable[[Callable[[], None]], int], writing: int, log: Path) -> int:
    def ready() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.close(descriptor)
        os.close(nothing)
        os.write(writing, READY)
        os.close(writing)

    status = 1
    try:
        status = run(ready)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return status


def _await_ready(child: int, reading: int) -> int:
    def forward(number: int, _: object) -> None:
        os.kill(child, number)

    previous = {number: signal.signal(number, forward) for number in STOPPING}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    try:
        with os.fdopen(reading, "rb") as pipe:
            if pipe.read(1) == READY:
                return 0
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code  # as a shell says it
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
