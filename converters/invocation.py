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
RECORDS = (REQUEST, REPRODUCE, LOG)
"""What stays in the output directory, however the conversion ends."""

FINDINGS = ".cache"
"""How the name of a directory ends that keeps what a conversion has found out, for another attempt at it."""

_MADE = "made"
_SCRATCH = "scratch"
_OPTIONS = ("-P", "-s", "-m", "converters")
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",  # the order of sets must not show in the exported graph
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUTF8": "1",
    "OMP_WAIT_POLICY": "PASSIVE",  # threads that spin starve the hub that serves on the same cores
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "MALLOC_ARENA_MAX": "2",
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # its own reserves 1 GB at once, which counts against the child's limit
}


class StoredCall(BaseModel):
    """`request.json`: what the child reads. Its `source` is a name only, the directory is on the command line."""

    model_config = ConfigDict(extra="forbid")

    request: ConversionRequest
    limits: Limits


@dataclass(frozen=True)
class Invocation:
    """One run of `python -m converters`. `output` is an absolute directory with the records, which are the parent's.

    `made`, a directory in it, is the child's place to write. So is `cache` where it is given: what a conversion has
    found out stays there, and another attempt at the same does not find it out again.
    """

    command: str
    request: ConversionRequest
    limits: Limits
    output: Path
    cache: Path | None = None

    @property
    def made(self) -> Path:
        """Where the child writes."""
        return self.output / _MADE

    @property
    def scratch(self) -> Path:
        """Where the child writes what nobody needs afterwards."""
        return self.made / _SCRATCH

    def prepare(self) -> None:
        """Write `request.json` and `reproduce.sh`, which name no place of this machine, and make the directories."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        if self.cache is not None:
            self.cache.mkdir(parents=True, exist_ok=True)
        request = self.request.model_copy(update={"source": Path("source")})
        stored = StoredCall(request=request, limits=self.limits)
        (self.output / REQUEST).write_text(stored.model_dump_json(indent=1) + "\n", encoding="utf-8")
        script = self.output / REPRODUCE
        script.write_text(self._script(), encoding="utf-8")
        script.chmod(0o755)

    def arguments(self, parent: int) -> list[str]:
        """The command line of a child that ends when the process `parent` does."""
        places = ("--source", str(self.request.source.absolute()), "--output", str(self.made))
        request = ("--request", str(self.output / REQUEST))
        cache = ("--cache", str(self.cache.absolute())) if self.cache is not None else ()
        return [sys.executable, *_OPTIONS, self.command, *request, *places, *cache, "--parent", str(parent)]

    def environment(self) -> dict[str, str]:
        """Nothing of the parent's: no key and no proxy reaches the child, and no library of it reaches a hub."""
        return {
            **self._constants(),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "HOME": str(self.scratch),
            "TMPDIR": str(self.scratch),
        }

    def _constants(self) -> dict[str, str]:
        return {**_ENVIRONMENT, "OMP_NUM_THREADS": str(self.request.threads)}

    def _script(self) -> str:
        constants = " ".join(shlex.quote(f"{name}={value}") for name, value in self._constants().items())
        return (
            "#!/bin/sh\n"
            "# Repeats this conversion: sh reproduce.sh SOURCE OUTPUT, with request.json beside the script.\n"
            "# SOURCE is a directory with the source files, OUTPUT one that is made. PYTHON names a Python that has\n"
            "# conch[convert] in the versions that the certificate lists.\n"
            "set -eu\n"
            f'here="$(cd "$(dirname "$0")" && pwd)"; mkdir -p "$2/{_SCRATCH}"; output="$(cd "$2" && pwd)"\n'
            f'exec env -i {constants} PATH="$PATH" PYTHONPATH="${{PYTHONPATH:-}}" \\\n'
            f'  HOME="$output/{_SCRATCH}" TMPDIR="$output/{_SCRATCH}" \\\n'
            f'  "${{PYTHON:-python3}}" {shlex.join((*_OPTIONS, self.command))} \\\n'
            f'  --request "$here/{REQUEST}" --source "$1" --output "$output" --parent "$PPID"\n'
        )
