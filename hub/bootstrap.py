"""The first platform key: the one thing that no route can make."""

from __future__ import annotations

import asyncio

from hub.tenants import repository, service
from registry.database import Database


def ensure_admin(database_url: str) -> str | None:
    """A new platform key where none is in force; None where one is."""
    return asyncio.run(_create(database_url, only_first=True))


def new_admin_key(database_url: str) -> str:
    """One more platform key, for an operator who has lost theirs and can reach the database."""
    secret = asyncio.run(_create(database_url, only_first=False))
    assert secret is not None, "a key was asked for unconditionally"
    return secret


async def _create(database_url: str, *, only_first: bool) -> str | None:
    database = Database(database_url, pool_size=1)
    try:
        async with database.write() as session:
            if only_first and await repository.has_admin(session):
                return None
            return await service.create_admin_key(session, "operator")
    finally:
        await database.close()
