"""A database of one's own in the PostgreSQL of the running Conch, for what nobody else should see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg

from tests.hub.stack import Stack


@contextmanager
def scratch_database(stack: Stack) -> Iterator[str]:
    """The URL of a new, empty database; it is dropped at the end."""
    name = f"scratch_{uuid4().hex}"
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    try:
        yield urlunsplit(urlsplit(stack.database_url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(stack.database_url, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)")
