"""A database of one's own in the PostgreSQL of the running Conch, for what nobody else should see."""

from __future__ import annotations

import time
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
        _drop(stack, name)


def _drop(stack: Stack, name: str) -> None:
    """Autovacuum, which only a superuser may end, is in the database now and then, and leaves by itself."""
    deadline = time.monotonic() + 30
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        while True:
            try:
                connection.execute(f"drop database {name} with (force)")
            except psycopg.errors.InsufficientPrivilege:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return
