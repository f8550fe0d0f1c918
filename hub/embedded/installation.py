"""Which parts a `conch up` consists of, and the settings with which its own two processes find the others."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from hub.embedded import environment
from hub.embedded.directory import DataDirectory
from hub.embedded.errors import CannotStart
from hub.embedded.external import (
    ExternalServer,
    ExternalServers,
    external_postgres,
    external_redis,
    external_triton,
)
from hub.embedded.part import Part
from hub.embedded.ports import free_ports
from hub.embedded.postgres_server import PostgresServer
from hub.embedded.python_part import HubProcess, WorkerProcess
from hub.embedded.redis_server import RedisServer
from hub.embedded.triton_server import TritonServer

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - recognised, not chosen


@dataclass(frozen=True)
class Installation:
    """The parts, in the order in which they depend on each other."""

    postgres: Part
    redis: Part
    triton: Part
    hub: Part
    worker: Part
    url: str
    database_url: str

    def externals(self) -> list[ExternalServer]:
        """The servers that somebody else runs."""
        return [part for part in (self.postgres, self.redis, self.triton) if isinstance(part, ExternalServer)]

    def remove_shared_memory(self) -> None:
        """Remove what the embedded Triton may have left in /dev/shm; only while it does not run."""
        if isinstance(self.triton, TritonServer):
            self.triton.remove_shared_memory()


def plan(data: DataDirectory, sockets: Path, host: str, port: int, servers: ExternalServers) -> Installation:
    """Choose embedded or external for each server and settle every address. Starts nothing."""
    # Where files go may be overridden by the operator's environment; where the servers are is decided here.
    inherited = environment.inherited()
    variables = {
        "CONCH_ARTEFACT_STORE": str(data.artefacts),
        "CONCH_WORK_DIRECTORY": str(data.work),
        "CONCH_SIGNING_KEY": str(data.signing_key),
        "CONCH_MLFLOW_DIRECTORY": str(data.root),
        # A store of one's own has nobody else's models; a server that others use has.
        "CONCH_MLFLOW_SHARED": str("MLFLOW_TRACKING_URI" not in inherited).lower(),
        **inherited,
        "CONCH_HOST": host,
        "CONCH_PORT": str(port),
    }
    postgres, database_url = _postgres(data, sockets, servers)
    redis, redis_url = _redis(data, sockets, servers)
    triton, triton_variables = _triton(data, servers)
    variables |= {"CONCH_DATABASE_URL": database_url, "CONCH_REDIS_URL": redis_url, **triton_variables}
    url = f"http://{_WILDCARDS.get(host, f'[{host}]' if ':' in host else host)}:{port}"
    return Installation(
        postgres=postgres,
        redis=redis,
        triton=triton,
        hub=HubProcess(url, variables, data.run),
        worker=WorkerProcess(variables, data.run),
        url=url,
        database_url=database_url,
    )


def _postgres(data: DataDirectory, sockets: Path, servers: ExternalServers) -> tuple[Part, str]:
    if servers.database_url is not None:
        return external_postgres(servers.database_url), servers.database_url.get_secret_value()
    server = PostgresServer(data, sockets)
    return server, server.url


def _redis(data: DataDirectory, sockets: Path, servers: ExternalServers) -> tuple[Part, str]:
    if servers.redis_url is not None:
        return external_redis(servers.redis_url), servers.redis_url.get_secret_value()
    server = RedisServer(data, sockets)
    return server, server.url


def _triton(data: DataDirectory, servers: ExternalServers) -> tuple[Part, dict[str, str]]:
    if servers.triton_urls is not None:
        if servers.model_repository is None:
            raise CannotStart(
                "CONCH_TRITON_URLS is set without CONCH_MODEL_REPOSITORY.",
                "Set CONCH_MODEL_REPOSITORY to the directory that those servers load their models from.",
            )
        return external_triton(servers.triton_urls, servers.triton_key), {}
    if servers.model_repository is not None:
        raise CannotStart(
            "CONCH_MODEL_REPOSITORY is set without CONCH_TRITON_URLS; the embedded Triton has one of its own.",
            "Unset it, or set CONCH_TRITON_URLS to the servers that load from it.",
        )
    grpc_port, metrics_port = free_ports(2)
    key = secrets.token_urlsafe(32)
    variables = {
        "CONCH_TRITON_URLS": f"127.0.0.1:{grpc_port}",
        "CONCH_TRITON_METRICS_URLS": f"http://127.0.0.1:{metrics_port}/metrics",
        "CONCH_TRITON_KEY": key,
        "CONCH_MODEL_REPOSITORY": str(data.repository),
    }
    return TritonServer(data, grpc_port, metrics_port, key), variables
