"""`/docs`: the OpenAPI page to read and to try, with its viewer from here and nothing from any other host."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

PATH = "/docs"

_STATIC = Path(__file__).parent / "static"
# The browser is held to it too. The viewer writes styles of its own and draws its icons from data URLs.
_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def install(app: FastAPI) -> None:
    """Serve the page at `/docs` and its files below; its links are relative, so that a proxy may put a path before."""
    app.mount(f"{PATH}/static", StaticFiles(directory=_STATIC))
    app.add_route(PATH, _page, include_in_schema=False)


async def _page(_: Request) -> FileResponse:
    return FileResponse(_STATIC / "documentation.html", headers={"content-security-policy": _POLICY})
