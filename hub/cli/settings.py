"""Settings that are missing or wrong, said in a line each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from pydantic import ValidationError

from hub.settings import ALL_SETTINGS


@contextmanager
def complete_settings() -> Iterator[None]:
    """End the command with a line for each variable that is missing or does not fit. Other errors pass."""
    try:
        yield
    except ValidationError as error:
        kind = next((settings for settings in ALL_SETTINGS if settings.__name__ == error.title), None)
        if kind is None:
            raise
        for problem in error.errors(include_url=False, include_input=False):
            name = str(problem["loc"][0])
            variable = f"CONCH_{name.upper()}"
            if problem["type"] == "missing":
                typer.echo(f"conch: {variable} is not set; it is: {kind.model_fields[name].description}", err=True)
            else:
                typer.echo(f"conch: {variable} does not fit; {problem['msg']}", err=True)
        raise typer.Exit(1) from error
