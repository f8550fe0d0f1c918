"""The command line, the environment and the files that make one child process, and the script that makes it again."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from converters.request import ConversionRequest, Limits

REQUEST = "request.json"
REPRODUCE = "reproduce.sh"
LOG = "conversion.log"
SCRATCH = "scratch"


class StoredCall(BaseModel):
    """`request.json`: what the child reads."""

    model_config = ConfigDict(extra="forbid")

    request: ConversionRequest
    limits: Limits


@dataclass(frozen=True)
class Invocation:
    """One run of `python -m converters`. `output` is an absolute directory, the child's only place to write."""

    command: str
    request: ConversionRequest
    limits: Limits
    output: Path

    def prepare(self) -> None:
        """Write `request.json` and `reproduce.sh` and make the scratch directory."""
        (self.output / SCRATCH).mkdir(exist_ok=True)
        request = self.request.model_copy(update={"source": self.request.source.absolute()})
        stored = StoredCall(request=request, limits=self.limits)
        (self.output / REQUEST).write_text(stored.model_dump_json(indent=1) + "\n", encoding="utf-8")
        script = self.output / REPRODUCE
        script.write_text(self._script(), encoding="utf-8")
        script.chmod(0o755)

    def arguments(self, parent: int | None) -> list[str]:
        """The command line of a child that ends when the process `parent` does."""
        line = [sys.executable, "-P", "-s", "-m", "converters", self.command, "--request", str(self.output / REQUEST)]
        return line + ([] if parent is None else ["--parent", str(parent)])

    def environment(self) -> dict[str, str]:
        """Nothing of the parent's: no key and no proxy reaches the child, and no library of it reaches a hub."""
        scratch = str(self.output / SCRATCH)
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "PYTHONHASHSEED": "0",  # the order of sets must not show in the exported graph
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUTF8": "1",
            "HOME": scratch,
            "TMPDIR": scratch,
            "OMP_NUM_THREADS": str(self.request.threads),
            "OMP_WAIT_POLICY": "PASSIVE",  # threads that spin starve the hub that serves on the same cores
            "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "MALLOC_ARENA_MAX": "2",
        }

    def _script(self) -> str:
        environment = " ".join(shlex.quote(f"{name}={value}") for name, value in self.environment().items())
        command = shlex.join(self.arguments(parent=None))
        return (
            "#!/bin/sh\n"
            "# Repeats this conversion: ./reproduce.sh [directory]. The source files must still be where they were.\n"
            "set -eu\n"
            f'directory="${{1:-{shlex.quote(str(self.output / "reproduced"))}}}"\n'
            f'mkdir -p "$directory/{SCRATCH}" {shlex.quote(str(self.output / SCRATCH))}\n'
            f'exec env -i {environment} {command} --output "$directory"\n'
        )
