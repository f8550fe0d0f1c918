"""`conch up`: the data directory, the signals and the supervisor, put together."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from hub.embedded.bootstrap import Keys, bootstrap
from hub.embedded.control import serve_status
from hub.embedded.directory import DataDirectory
from hub.embedded.external import ExternalServers
from hub.embedded.installation import Installation, plan
from hub.embedded.leftovers import end_leftovers, remove_unfinished
from hub.embedded.ports import ensure_free
from hub.embedded.progress import Progress
from hub.embedded.sockets import SocketDirectory
from hub.embedded.supervisor import Supervisor, status_socket
from hub.suggestions import conch

logger = logging.getLogger("conch.supervisor")


@dataclass(frozen=True)
class Options:
    """What `conch up` was asked for. `when_ready` is called once, with the result already on the console."""

    data: Path
    host: str
    port: int
    sample: bool
    detached: bool
    when_ready: Callable[[], None]


def up(options: Options, console: Console) -> None:
    """Bring Conch up and keep it up until SIGINT or SIGTERM; then stop all of it. Raises CannotStart."""
    data = DataDirectory(options.data.absolute())
    if not data.root.exists():  # a start that is refused for its port leaves no directory behind
        ensure_free(options.host, options.port)
    data.prepare()
    lock = data.lock()
    try:
        end_leftovers(data)
        remove_unfinished(data)
        directory = SocketDirectory(data)
        sockets = directory.create()
        try:
            installation = plan(data, sockets, options.host, options.port, ExternalServers())
            asyncio.run(_supervise(options, data, sockets, installation, console))
        finally:
            directory.remove()
            data.bootstrap.unlink(missing_ok=True)
    finally:
        lock.release()


async def _supervise(
    options: Options, data: DataDirectory, sockets: Path, installation: Installation, console: Console
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)  # a second one finds it set: harmless
    with Progress(console) as progress:
        supervisor = Supervisor(installation, data, progress)
        control = await serve_status(status_socket(sockets), supervisor.status)
        bringing_up = asyncio.create_task(_bring_up(options, data, installation, supervisor, progress))
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({bringing_up, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if bringing_up.done():
                progress.close()
                _announce(console, options, data, installation.url, bringing_up.result())
                options.when_ready()
                await stopped
            console.print("stopping …", highlight=False)
        finally:
            bringing_up.cancel()
            stopped.cancel()
            # What a start says that was interrupted is of no interest; a failed one has been raised above.
            await asyncio.gather(bringing_up, stopped, return_exceptions=True)
            control.close()
            await supervisor.stop()


async def _bring_up(
    options: Options, data: DataDirectory, installation: Installation, supervisor: Supervisor, progress: Progress
) -> Keys:
    await supervisor.start(options.host, options.port)
    return await bootstrap(data, installation.url, installation.database_url, sample=options.sample, progress=progress)


def _announce(console: Console, options: Options, data: DataDirectory, url: str, keys: Keys) -> None:
    lines = [
        "",
        f"Conch is ready at {url}",
        f"Keys: {data.bootstrap}    Logs: {data.logs}",
        "",
    ]
    if options.sample:
        lines += ["Try it:", "", first_call(url, keys.demo_key), ""]
    stop = f"`{conch('down', '--data', data.root)}`"
    lines += [f"Stop it with {stop}." if options.detached else f"Stop it with Ctrl-C, or with {stop}.", ""]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def first_call(url: str, key: str) -> str:
    """A curl command line that embeds a sentence with the sample model; safe to paste into any shell."""
    return (
        f"curl {url}/v1/embeddings -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' "
        """-d '{"model": "minilm", "input": ["Triton speaks through a conch."]}'"""
    )
