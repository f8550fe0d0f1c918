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
from hub.http.sessions import Reading
from hub.tenants.schemas import Name
from registry.certificates.page import POLICY
from registry.store import ArtefactStore
from registry.tables import FileRole, Version

router = keyed_router("Models")

_JSON, _PAGE = "certificate.json", "certificate.html"
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

    As a page with plots where `Accept` asks for `text/html`.
    """
    tenant_id = caller.require(Scope.MODELS)
    model = await repository.own_model(session, tenant_id, name)
    if model is None:
        raise NotFound(f"You have no model {name!r}.", param="name")
    version = await repository.get_version(session, model.id, number)
    if version is None:
        raise NotFound(f"The model {name!r} has no version {number}.", param="number")
    as_page = "text/html" in request.headers.get("accept", "")
    store: ArtefactStore = request.app.state.store
    content = b"".join([chunk async for chunk in store.read(_sha256(version, _PAGE if as_page else _JSON))])
    if as_page:
        return Response(content, media_type="text/html", headers={"content-security-policy": POLICY})
    return Response(content, media_type="application/json")


def _sha256(version: Version, path: str) -> str:
    found = (f.sha256 for f in version.files if f.role is FileRole.CERTIFICATE and f.path == path)
    sha256 = next(found, None)
    if sha256 is None:
        raise NotFound(
            f"Version {version.number} has no certificate yet.",
            param="number",
            remedy="Wait for the end of its conversion: GET /v1/jobs shows it.",
        )
    return sha256
