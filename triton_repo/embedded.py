"""The Triton that `conch up` runs: its command line, its environment, and what it leaves behind.

Whoever starts the process also watches and ends it; this module says how. The server listens on loopback, loads
nothing by itself, and every API but health asks for the key, inference included: 2.51 has known holes that are
reachable through the others.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

from triton_repo.control import KEY_NAME
from triton_repo.server_files import ServerFiles, prepare

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where POSIX shared memory is; the names are our own
_RESTRICTED = "metadata,inference,shared-memory,model-config,model-repository,statistics,trace,logging"
_EXIT_SECONDS = 5  # for requests in flight; with a process of a model dead, Triton would wait in vain
_STUB_SECONDS = 120  # a large graph takes tens of seconds to open and optimise; the default of 30 is too short
_HTTP_THREADS = 8
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Launch:
    """A process to start: its arguments, and its whole environment, with nothing of the caller's and none of its
    secrets. Its log goes to standard error, into the file that the caller chooses.
    """

    argv: list[str]
    environment: dict[str, str]


@dataclass(frozen=True)
class EmbeddedTriton:
    """One server for the models below `repository`, with its own files below `directory`.

    `http_port` is None for a server without HTTP; `key` is None for one that is open to this machine, which only a
    benchmark wants. The key is on the command line, because Triton reads it nowhere else: other users of the machine
    can read it there, so it guards against what cannot, a web page in a browser above all.
    """

    directory: Path
    repository: Path
    grpc_port: int
    metrics_port: int
    http_port: int | None
    key: str | None

    @property
    def address(self) -> str:
        """Of its gRPC service."""
        return f"{_LOOPBACK}:{self.grpc_port}"

    def prepare(self) -> Launch:
        """Lay out the server's files and say how to start it. Raises EmbeddedUnavailable with a remedy."""
        self.repository.mkdir(parents=True, exist_ok=True)
        files = prepare(self.directory)
        return Launch(self._argv(files), _environment(files))

    def _argv(self, files: ServerFiles) -> list[str]:
        return [
            str(files.binary),
            f"--model-repository={self.repository}",
            f"--backend-directory={files.backends}",
            "--model-control-mode=explicit",
            "--disable-auto-complete-config",  # the configuration is complete; guessing starts every model twice
            "--strict-readiness=false",  # ready means that Triton answers; models are asked about one by one
            f"--exit-timeout-secs={_EXIT_SECONDS}",
            "--log-format=ISO8601",
            f"--backend-config=python,shm-region-prefix-name={self.shared_memory_prefix}",
            f"--backend-config=python,stub-timeout-seconds={_STUB_SECONDS}",
            f"--grpc-address={_LOOPBACK}",
            f"--grpc-port={self.grpc_port}",
            # The hub pings idle connections every 30 s; the server's default takes that for abuse.
            "--grpc-http2-min-recv-ping-interval-without-data=10000",
            "--grpc-keepalive-time=60000",
            f"--metrics-address={_LOOPBACK}",
            f"--metrics-port={self.metrics_port}",
            "--allow-gpu-metrics=false",
            "--pinned-memory-pool-byte-size=0",  # pinned memory is for copies to a GPU
            *self._http(),
            *self._restrictions(),
        ]

    def remove_shared_memory(self) -> None:
        """Remove what a killed server left in /dev/shm. Only while it does not run."""
        for region in _SHARED_MEMORY.glob(f"{self.shared_memory_prefix}*"):
            region.unlink(missing_ok=True)

    @property
    def shared_memory_prefix(self) -> str:
        """What the names of its shared memory begin with: of this directory's server and of no other."""
        return "conch_" + hashlib.sha256(str(self.directory.resolve()).encode()).hexdigest()[:16]

    def _http(self) -> list[str]:
        if self.http_port is None:
            return ["--allow-http=false"]
        return [
            f"--http-address={_LOOPBACK}",
            f"--http-port={self.http_port}",
            f"--http-thread-count={_HTTP_THREADS}",
        ]

    def _restrictions(self) -> list[str]:
        if self.key is None:
            return []
        http = [f"--http-restricted-api={_RESTRICTED}:{KEY_NAME}={self.key}"] if self.http_port is not None else []
        return [f"--grpc-restricted-protocol={_RESTRICTED}:{KEY_NAME}={self.key}", *http]


def _environment(files: ServerFiles) -> dict[str, str]:
    return {
        # Triton's stub finds its packages through the first python on PATH.
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "LD_LIBRARY_PATH": ":".join(str(path) for path in files.libraries),
        "LC_ALL": "C.UTF-8",
        "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime reports to its maker by default, from its import on
    }
