"""A publish that is killed at a chosen step. The target of a process of its own, so it imports little."""

import os
import signal
import sys
from pathlib import Path

from triton_repo.bundle import bundle
from triton_repo.config import ModelConfig
from triton_repo.publish import publish

_STEPS = ("open", "os", "shutil", "tempfile", "fcntl")


def publish_and_die(step: int, repository: Path, model: Path, config: ModelConfig) -> None:
    """Publish, and die without a word at the `step`-th call to the file system."""
    left = step

    def die(event: str, _: tuple) -> None:
        nonlocal left
        if event.partition(".")[0] in _STEPS:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    bundle()
    sys.addaudithook(die)
    publish(repository, model, config)
    os._exit(0)
