"""How `conch up` presents itself: console, log lines, foreground or background."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import typer
from rich.console import Console

from hub.cli.settings import require
from hub.embedded.background import in_background
from hub.embedded.directory import DataDirectory
from hub.embedded.errors import CannotStart
from hub.embedded.up import Options
from hub.settings import HttpSettings


def run(data: Path, port: int, *, sample: bool, detach: bool) -> int:
    """Bring Conch up; the exit code of the command."""
    require([HttpSettings])
    host = HttpSettings().host

    def bring_up(when_ready: Callable[[], None]) -> int:
        return _bring_up(Options(data, host, port, sample, detach, when_ready))

    if detach:
        return in_background(bring_up, DataDirectory(data.absolute()).logs / "supervisor.log")
    return bring_up(lambda: None)


def _bring_up(options: Options) -> int:
    from hub.embedded.up import up

    console = Console()
    logger = logging.getLogger("conch.supervisor")
    logger.addHandler(_ConsoleHandler(console))
    logger.propagate = False
    try:
        up(options, console)
    except CannotStart as error:
        typer.echo(f"conch: {error}", err=True)
        return 1
    except KeyboardInterrupt:  # one too many: everything has been stopped
        return 130
    return 0


class _ConsoleHandler(logging.Handler):
    """Log lines on the console that the progress display moves on, so that neither garbles the other."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(self.format(record), markup=False, highlight=False, soft_wrap=True)
