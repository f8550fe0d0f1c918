"""`conch admin-key`: a platform key for an operator who has none yet, or has lost theirs."""

from __future__ import annotations

from pathlib import Path

import typer
from sqlalchemy.exc import ArgumentError, DBAPIError

from hub.bootstrap import new_admin_key
from hub.cli.extras import fail
from hub.embedded.directory import DataDirectory
from hub.embedded.errors import CannotStart
from hub.embedded.postgres_server import PostgresServer, url_behind
from hub.embedded.sockets import SocketDirectory
from hub.embedded.status import status
from hub.settings import DatabaseSettings
from hub.suggestions import conch


def run(data: Path | None) -> None:
    """Print a new platform key for the database of the `conch up` on `data`, or of CONCH_DATABASE_URL."""
    try:
        url = DatabaseSettings().database_url.get_secret_value() if data is None else _embedded(data)
        typer.echo(new_admin_key(url))
    except CannotStart as error:
        fail(error.message, error.remedy)
    except (DBAPIError, ArgumentError) as error:
        reason = str(error.orig if isinstance(error, DBAPIError) else error).strip().partition("\n")[0]
        fail(
            f"The database takes no new key ({reason}).",
            f"Check CONCH_DATABASE_URL; a new database first needs `{conch('db', 'upgrade')}`.",
        )


def _embedded(data: Path) -> str:
    """The database of the `conch up` that runs on `data`. Raises CannotStart where none runs, or it is not its own."""
    (postgres,) = (part for part in status(data) if part.name == PostgresServer.name)
    if postgres.external:
        raise CannotStart(
            f"The conch on {data} keeps its keys in the PostgreSQL at {postgres.address}.",
            "Set CONCH_DATABASE_URL to it, and leave out --data.",
        )
    return url_behind(SocketDirectory(DataDirectory(data.absolute())).find())
