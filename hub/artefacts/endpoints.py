"""Route of uploads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import StreamingResponse

from hub.access.admission import Caller, keyed_router
from hub.access.principal import Scope
from hub.artefacts import repository
from hub.errors import NotFound, Unprocessable
from hub.http.sessions import Reading, Writing
from registry.spec.names import SHA256_PATTERN
from registry.store import ArtefactStore

PATH = "/v1/artefacts"

router = keyed_router("Models")

Sha256 = Annotated[str, Path(pattern=SHA256_PATTERN, description="SHA-256 of the content.")]


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


@router.get(
    PATH + "/{sha256}",
    summary="Download a file",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "The content."}},
)
async def download(sha256: Sha256, request: Request, caller: Caller, session: Reading) -> StreamingResponse:
    """A file that you uploaded, or that a conversion of one of your models made."""
    artefact = await repository.readable(session, caller.require(Scope.MODELS), sha256)
    if artefact is None:
        raise NotFound("There is no such file.", param="sha256")
    store: ArtefactStore = request.app.state.store
    headers = {"content-length": str(artefact.bytes), "content-disposition": "attachment", "etag": f'"{sha256}"'}
    return StreamingResponse(store.read(sha256), media_type="application/octet-stream", headers=headers)


async def _not_empty(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks; an empty body breaks off like any other stream that fails, and leaves nothing in the store."""
    empty = True
    async for chunk in chunks:
        empty = empty and not chunk
        yield chunk
    if empty:
        raise Unprocessable("The body is empty.", reason="empty", remedy="Send the file as the raw body.")
