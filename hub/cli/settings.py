"""Settings that are missing or wrong, said in a line each, before anything is started."""

from __future__ import annotations

from collections.abc import Iterable

import typer
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from hub.settings import (
    DatabaseSettings,
    HttpSettings,
    JobSettings,
    LimitSettings,
    LogSettings,
    MlflowSettings,
    RedisSettings,
    SourceSettings,
    StoreSettings,
    TritonSettings,
)

# What each command reads.
DATABASE = (DatabaseSettings,)
SERVE = (
    HttpSettings,
    DatabaseSettings,
    RedisSettings,
    TritonSettings,
    StoreSettings,
    SourceSettings,
    LimitSettings,
    LogSettings,
)
WORKER = (DatabaseSettings, TritonSettings, StoreSettings, SourceSettings, JobSettings, MlflowSettings, LogSettings)


def require(kinds: Iterable[type[BaseSettings]]) -> None:
    """End the command with a line for each variable of `kinds` that is missing or does not fit."""
    lines = [line for kind in kinds for line in _complaints(kind)]
    for line in lines:
        typer.echo(f"conch: {line}", err=True)
    if lines:
        raise typer.Exit(1)


def _complaints(kind: type[BaseSettings]) -> list[str]:
    try:
        kind()
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
    else:
        return []
    lines = []
    for problem in problems:
        name = str(problem["loc"][0])
        variable = f"{kind.model_config['env_prefix']}{name}".upper()
        if problem["type"] == "missing":
            lines.append(f"{variable} is not set; it is: {kind.model_fields[name].description}")
        else:
            lines.append(f"{variable} does not fit; {problem['msg']}")
    return lines
