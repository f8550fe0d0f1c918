"""`conch db upgrade`."""

from __future__ import annotations

import typer

from hub.migrations import upgrade
from hub.settings import DatabaseSettings


def run() -> None:
    """Bring the database of CONCH_DATABASE_URL to this version."""
    upgrade(DatabaseSettings().database_url.get_secret_value())
    typer.echo("the database is up to date")
