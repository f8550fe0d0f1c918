"""`conch serve`: the hub in one process."""

from __future__ import annotations

import gc

import uvicorn

from hub.app import Settings, create_asgi
from hub.logging import configure
from hub.settings import LogSettings


def run() -> None:
    """Serve until the process is told to stop. Settings come from the environment (`docs/configuration.md`)."""
    configure(LogSettings())
    settings = Settings()
    application = create_asgi(settings)
    gc.collect()
    gc.freeze()  # what is there now lives as long as the process: no collection has to look at it again
    uvicorn.run(
        application,
        host=settings.http.host,
        port=settings.http.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=10,
    )
