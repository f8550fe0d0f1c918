"""Routes of models, versions and aliases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import Path
from sqlalchemy import Row
from starlette.requests import Request

from hub.access.admission import Caller, keyed_router
from hub.access.principal import Principal, Scope
from hub.billing import prices
from hub.catalogue import registration, repository, routes
from hub.catalogue.registration import VersionRegistration
from hub.catalogue.schemas import (
    CreatedVersion,
    History,
    ModelList,
    ModelOut,
    NewModel,
    NewPrices,
    NewRoute,
    NewVersion,
    RouteOut,
    Target,
    VersionOut,
    VersionSummary,
)
from hub.errors import Conflict, NotFound, Unprocessable
from hub.http.pages import Page, Paging
from hub.http.sessions import Reading, Writing
from hub.tenants.schemas import Name
from registry.database import ReadSession
from registry.spec.names import ModelReference
from registry.spec.tasks import TASKS
from registry.tables import FileRole, Model, Route, VersionState

router = keyed_router("Models")

ModelName = Annotated[Name, Path(description="Name of a model of your own.")]
_HISTORY = 100

Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="Number of a version.")]


@router.get("/v1/models", summary="List the models this key may call")
async def list_models(caller: Caller, session: Reading) -> ModelList:
    """Your own models and the public ones of other tenants, newest first."""
    rows = await repository.visible_models(session, caller.tenant_id)
    return ModelList(data=await _show_models(session, caller, rows))


@router.post("/v1/models", status_code=201, summary="Register a model")
async def create_model(new: NewModel, caller: Caller, session: Writing) -> ModelOut:
    """Register a model under a name, with a price for every unit it bills. Versions come next."""
    model = await registration.register_model(session, caller.require(Scope.MODELS), new)
    return _model_out(model, model.name, caller.tenant_name or "", new.prices)


@router.get("/v1/models/{name}", summary="Show a model")
async def get_model(name: str, caller: Caller, session: Reading) -> ModelOut:
    """A model of your own."""
    return await _visible_model(session, caller, name)


@router.put("/v1/models/{name}/prices", summary="Set the prices of a model")
async def put_prices(name: ModelName, new: NewPrices, caller: Caller, session: Writing) -> ModelOut:
    """Prices of calls from now on, within a second everywhere. What was charged before stays as it is."""
    model = await _own_model(session, caller, name)
    prices.check_complete(TASKS[model.task], new.prices)
    prices.set_prices(session, model.id, new.prices)
    return _model_out(model, model.name, caller.tenant_name or "", new.prices)


@router.post("/v1/models/{name}/versions", status_code=202, summary="Register a version and convert it")
async def create_version(name: ModelName, new: NewVersion, request: Request, caller: Caller) -> CreatedVersion:
    """Register a version from uploaded files; its conversion is queued as a job to watch.

    The first version that is certified is published and takes all traffic; later ones wait for a change of the route.
    """
    versions: VersionRegistration = request.app.state.versions
    version, job = await versions.register(caller.require(Scope.MODELS), name, new)
    return CreatedVersion(**VersionSummary.model_validate(version).model_dump(), job_id=job.id)


@router.get("/v1/models/{name}/versions", summary="List versions")
async def list_versions(name: ModelName, caller: Caller, session: Reading, window: Paging) -> Page[VersionSummary]:
    """The versions of a model, newest first."""
    model = await _own_model(session, caller, name)
    rows = await repository.list_versions(session, model.id, window.after, window.fetch)
    return window.page(rows, VersionSummary.model_validate)


@router.get("/v1/models/{name}/versions/{number}", summary="Show a version and its certificate")
async def get_version(name: ModelName, number: Number, caller: Caller, session: Reading) -> VersionOut:
    """A version with its source files, its signature, its certificate, and why it failed where it did."""
    model = await _own_model(session, caller, name)
    version = await repository.get_version(session, model.id, number)
    if version is None:
        raise NotFound(f"The model {name!r} has no version {number}.", param="number")
    return VersionOut.model_validate(
        {
            **VersionSummary.model_validate(version).model_dump(),
            "files": {file.path: file.sha256 for file in version.files if file.role is FileRole.SOURCE},
            "produced": {
                f"{file.role.value}/{file.path}": file.sha256
                for file in version.files
                if file.role is not FileRole.SOURCE
            },
            "signature": version.signature,
            "certificate": version.certificate,
            "failure": version.failure,
        }
    )


@router.get("/v1/models/{name}/routes/{alias}", summary="Where an alias points, and pointed")
async def get_routes(name: ModelName, alias: Name, caller: Caller, session: Reading) -> History:
    """The newest hundred routes of an alias, the one in force first."""
    model = await _own_model(session, caller, name)
    numbers = await routes.numbers(session, model.id)
    rows = await routes.history(session, model.id, alias, _HISTORY + 1)
    return History(
        data=[_show_route(alias, route, numbers) for route in rows[:_HISTORY]], has_more=len(rows) > _HISTORY
    )


@router.put("/v1/models/{name}/routes/{alias}", summary="Point an alias at versions")
async def put_route(name: ModelName, alias: Name, new: NewRoute, caller: Caller, session: Writing) -> RouteOut:
    """Promote, split or roll back: within a second all new requests follow."""
    model = await _own_model(session, caller, name)
    weights = await _weights(session, model, new)
    route = await routes.set_route(session, model.id, alias, weights, str(caller.key_id), new.reason)
    return _show_route(alias, route, await routes.numbers(session, model.id))


@router.get("/v1/models/{tenant}/{name}", summary="Show a model of another tenant", operation_id="get_public_model")
async def get_public_model(tenant: str, name: str, caller: Caller, session: Reading) -> ModelOut:
    """A public model under its full name."""  # the last of the routes: `versions` of an own model goes first
    return await _visible_model(session, caller, f"{tenant}/{name}")


async def _weights(session: ReadSession, model: Model, new: NewRoute) -> dict[UUID, int]:
    weights: dict[UUID, int] = {}
    for target in new.targets:
        version = await repository.get_version(session, model.id, target.version)
        if version is None:
            raise NotFound(f"The model {model.name!r} has no version {target.version}.", param="targets")
        if version.state is not VersionState.PUBLISHED:
            raise Conflict(
                f"Version {target.version} is {version.state.value}, not published.", param="targets", reason="state"
            )
        if version.id in weights:
            raise Unprocessable(f"Version {target.version} is named twice.", param="targets")
        weights[version.id] = target.weight
    return weights


async def _own_model(session: ReadSession, caller: Principal, name: str) -> Model:
    model = await repository.own_model(session, caller.require(Scope.MODELS), name)
    if model is None:
        raise NotFound(f"You have no model {name!r}.", param="name")
    return model


async def _visible_model(session: ReadSession, caller: Principal, text: str) -> ModelOut:
    reference = ModelReference.parse(text)
    row = await repository.find_model(session, caller.tenant_id, reference) if reference else None
    if row is None:
        raise NotFound(f"There is no model {text!r}.", param="name")
    return (await _show_models(session, caller, [row]))[0]


async def _show_models(session: ReadSession, caller: Principal, rows: Sequence[Row[Model, str]]) -> list[ModelOut]:
    in_force = await prices.prices_in_force(session, [model.id for model, _ in rows])
    return [
        _model_out(
            model,
            model.name if model.tenant_id == caller.tenant_id else f"{owner}/{model.name}",
            owner,
            {unit: price.nano_amount for unit, price in in_force[model.id].items()},
        )
        for model, owner in rows
    ]


def _model_out(model: Model, name: str, owner: str, amounts: dict[str, int]) -> ModelOut:
    return ModelOut(
        id=name,
        created=int(model.created_at.timestamp()),
        owned_by=owner,
        task=model.task,
        visibility=model.visibility,
        description=model.description,
        prices=amounts,
    )


def _show_route(alias: str, route: Route, numbers: dict[UUID, int]) -> RouteOut:
    return RouteOut(
        alias=alias,
        revision=route.revision,
        targets=[Target(version=numbers[target.version_id], weight=target.weight) for target in route.targets],
        changed_by=route.changed_by,
        reason=route.reason,
        created_at=route.created_at,
    )
