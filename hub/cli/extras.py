"""The bare install is the client and the command line; a command that needs more says what to install."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from hub.suggestions import install

_OURS = {"hub", "registry", "converters", "triton_repo"}


@contextmanager
def needing_extras() -> Iterator[None]:
    """Turn the lack of an installed package into one line that names the command to run."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in _OURS:
            raise
        fail(
            f"{package} is not installed, and this command needs it.",
            f"Install it: {install('server', 'convert', 'embedded')}.",
        )


def fail(message: str, remedy: str) -> NoReturn:
    """End the command with one line on standard error, two sentences, and exit code 1."""
    typer.echo(f"conch: {message} {remedy}", err=True)
    raise typer.Exit(1)
