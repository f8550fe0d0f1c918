"""Routes of certificates: the signed document, for programs and for people, and the key that it is verified with."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.requests import Request
from starlette.responses import Response

from hub.access.admission import Caller, keyed_router
from hub.access.principal import Scope
from hub.catalogue import repository
from hub.errors import NotFound
from hub.http.accept import preferred
from hub.http.sessions import Reading
from hub.tenants.schemas import Name
from registry.certificates.document import Document
from registry.certificates.page import POLICY, page
from registry.store import ArtefactStore
from registry.tables import FileRole, Version, VersionState

router = keyed_router("Models")

_FILES = {"application/json": "certificate.json", "text/html": "certificate.html"}
_RESPONSES = {200: {"description": "The certificate.", "content": {"application/json": {}, "text/html": {}}}}


@router.get(
    "/v1/models/{name}/versions/{number}/certificate",
    summary="Show the signed certificate of a version",
    response_class=Response,
    responses=_RESPONSES,  # type: ignore[arg-type]
)
async def get_certificate(
    name: Annotated[Name, Path(description="Name of a model of your own.")],
    number: Annotated[int, Path(ge=1, le=2**31 - 1, description="Number of a version.")],
    request: Request,
    caller: Caller,
    session: Reading,
) -> Response:
    """The certificate with its Ed25519 signature, to keep and to verify offline (`conch certificate verify`).

    As a page with plots where `Accept` prefers `text/html`. A version that was certified before certificates were
    signed has one whose `signature` is null: it can be read, and proves nothing.
    """
    tenant_id = caller.require(Scope.MODELS)
    model = await repository.own_model(session, tenant_id, name)
    if model is None:
        raise NotFound(f"You have no model {name!r}.", param="name")
    version = await repository.get_version(session, model.id, number)
    if version is None:
        raise NotFound(f"The model {name!r} has no version {number}.", param="number")
    media_type = preferred(request.headers.get("accept", ""), tuple(_FILES))
    headers = {"vary": "Accept"}
    if media_type == "text/html":
        headers["content-security-policy"] = POLICY
    return Response(await _content(version, media_type, request.app.state.store), 200, headers, media_type)


async def _content(version: Version, media_type: str, store: ArtefactStore) -> bytes:
    path = _FILES[media_type]
    signed = next((f.sha256 for f in version.files if f.role is FileRole.CERTIFICATE and f.path == path), None)
    if signed is not None:
        return b"".join([chunk async for chunk in store.read(signed)])
    if version.certificate is None:
        raise _not_yet(version)
    document = Document(version.certificate, None)
    return (page(document) if media_type == "text/html" else document.json()).encode()


def _not_yet(version: Version) -> NotFound:
    if version.state is VersionState.FAILED:
        return NotFound(
            f"Version {version.number} failed, and has no certificate.",
            param="number",
            remedy="GET the version: `failure` says why, and what to do.",
        )
    return NotFound(
        f"Version {version.number} has no certificate yet.",
        param="number",
        remedy="Wait for the end of its conversion: GET /v1/jobs shows it.",
    )
