"""The model Triton loads: it finds the code published beside it and hands every dynamic batch to `serve`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


class TritonPythonModel:
    """What the Python backend calls, by Triton's fixed name and methods."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the model. What is raised here is the reason Triton gives for a failed load."""
        directory = Path(__file__).parent
        sys.dont_write_bytecode = True
        # The code certified with this model comes before whatever version of it the environment has installed.
        sys.path.insert(0, str(directory))
        from triton_repo.runtime.serve import Server

        self._server = Server(directory, args["model_config"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer one dynamic batch: one response per request, in their order."""
        return self._server.answer(requests)
