"""Route of uploads."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request

from hub.access.admission import Caller
from hub.access.principal import Scope
from hub.artefacts import repository
from hub.errors import Unprocessable
from hub.http.sessions import Writing
from registry.store import ArtefactStore

PATH = "/v1/artefacts"

router = APIRouter(tags=["Models"])


class ArtefactOut(BaseModel):
    """A file in the store."""

    sha256: str = Field(description="SHA-256 of the content; how versions refer to the file.")
    bytes: int


@router.post(
    PATH,
    status_code=201,
    summary="Upload a file",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def upload(request: Request, caller: Caller, session: Writing) -> ArtefactOut:
    """Upload one file as the raw body, e.g. `curl --data-binary @model.safetensors` or `curl -T`.

    The answer names it by its SHA-256. Uploading the same content again is one file.
    """
    tenant_id = caller.require(Scope.MODELS)
    store: ArtefactStore = request.app.state.store
    stored = await store.put(_not_empty(request.stream()))
    await repository.record(session, tenant_id, stored)
    return ArtefactOut(sha256=stored.sha256, bytes=stored.bytes)


async def _not_empty(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks; an empty body breaks off like any other stream that fails, and leaves nothing in the store."""
    empty = True
    async for chunk in chunks:
        empty = empty and not chunk
        yield chunk
    if empty:
        raise Unprocessable("The body is empty.", reason="empty", remedy="Send the file as the raw body.")
