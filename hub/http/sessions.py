"""One request is one transaction, committed before the answer is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from registry.database import Database, ReadSession, WriteSession


async def _read(request: Request) -> AsyncIterator[ReadSession]:
    database: Database = request.app.state.database
    async with database.read() as session:
        yield session


async def _write(request: Request) -> AsyncIterator[WriteSession]:
    database: Database = request.app.state.database
    async with database.write() as session:
        yield session


# The scope "function" ends the transaction before the response is sent; the default ends it after.
Reading = Annotated[ReadSession, Depends(_read, scope="function")]
Writing = Annotated[WriteSession, Depends(_write, scope="function")]
