"""The model Triton loads: it finds the code published beside it and hands every dynamic batch to a server."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


class TritonPythonModel:
    """What the Python backend calls, by Triton's fixed name and methods."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open a model, or a stage around a plan. What is raised here is Triton's reason for a failed load."""
        directory = Path(__file__).parent
        sys.dont_write_bytecode = True
        # The code certified with this model comes before whatever version of it the environment has installed.
        sys.path.insert(0, str(directory))
        from triton_repo.runtime.serve import Server
        from triton_repo.runtime.stages import StageServer

        config = json.loads(args["model_config"])
        server: type[Server | StageServer] = StageServer if "stage" in config["parameters"] else Server
        self._server = server(directory, config)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer one dynamic batch: one response per request, in their order."""
        return self._server.answer(requests)
