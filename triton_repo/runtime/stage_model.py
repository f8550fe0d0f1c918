"""What Triton loads as `model.py` of the front and the back of a plan: the same as `model.py`, for a stage."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


class TritonPythonModel:
    """What the Python backend calls, by Triton's fixed name and methods."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the stage. What is raised here is the reason Triton gives for a failed load."""
        directory = Path(__file__).parent
        sys.dont_write_bytecode = True
        # The code certified with this model comes before whatever version of it the environment has installed.
        sys.path.insert(0, str(directory))
        from triton_repo.runtime.stages import StageServer

        self._server = StageServer(directory, args["model_config"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request of a batch, in their order."""
        return self._server.answer(requests)
