"""Publishes that are killed at a chosen step: `python -m tests.triton_repo.killed REPOSITORY MODEL`.

Each line of standard input is a step; the answer is how the publish that was to die there ended.
"""

import os
import signal
import sys
from pathlib import Path

from tests.triton_repo.published import CONFIG
from triton_repo.bundle import bundle
from triton_repo.publish import publish

_STEPS = ("open", "os", "shutil", "tempfile", "fcntl")


def publish_and_die(step: int, repository: Path, model: Path) -> None:
    """Publish, and die without a word at the `step`-th call to the file system."""
    left = step

    def die(event: str, _: tuple) -> None:
        nonlocal left
        if event.partition(".")[0] in _STEPS:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(die)
    publish(repository, model, CONFIG)


def main() -> None:
    bundle()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            publish_and_die(int(line), Path(sys.argv[1]), Path(sys.argv[2]))
            os._exit(0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
