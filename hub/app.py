"""The hub as an ASGI application: builds the parts, wires the routes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from redis.asyncio import Redis
from starlette.types import ASGIApp

import hub.artefacts.endpoints
import hub.catalogue.certificates
import hub.catalogue.endpoints
import hub.inference.endpoints
import hub.jobs.endpoints
import hub.metering.endpoints
import hub.observability.endpoints
import hub.tenants.endpoints
from hub.access.authenticator import Authenticator
from hub.access.limiter import RequestLimiter
from hub.catalogue.registration import VersionRegistration
from hub.http import documentation, problems
from hub.http.body import BodyLimit
from hub.http.context import RequestContext
from hub.http.hot import HotRoutes, document
from hub.inference.coalescer import Coalescer
from hub.inference.plane import InferencePlane
from hub.inference.resolver import Resolver
from hub.metering.meter import Meter
from hub.observability.health import Health
from hub.observability.metrics import Metrics
from hub.serving.pool import TritonPool
from hub.serving.reconciler import Reconciler
from hub.settings import (
    DatabaseSettings,
    HttpSettings,
    LimitSettings,
    RedisSettings,
    SourceSettings,
    StoreSettings,
    TritonSettings,
)
from registry.database import Database
from registry.store import LocalStore

_DESCRIPTION = """\
Every model behind one API. Send your key as `Authorization: Bearer KEY`; every answer says what it cost, and every
error has the same body with a hint at what helps.
"""

_ROUTERS = (
    hub.tenants.endpoints.router,
    hub.artefacts.endpoints.router,
    hub.catalogue.endpoints.router,
    hub.catalogue.certificates.router,
    hub.jobs.endpoints.router,
    hub.metering.endpoints.router,
    hub.observability.endpoints.router,
    hub.observability.endpoints.public_router,
)


@dataclass(frozen=True)
class Settings:
    """The settings of the areas a hub process uses."""

    http: HttpSettings = field(default_factory=HttpSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    redis: RedisSettings = field(default_factory=RedisSettings)
    triton: TritonSettings = field(default_factory=TritonSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    sources: SourceSettings = field(default_factory=SourceSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)


def create_app(settings: Settings) -> FastAPI:
    """The application; its parts are made when it starts and closed when it stops."""
    metrics = Metrics()
    app = FastAPI(
        title="Conch",
        description=_DESCRIPTION,
        version=version("conch"),
        lifespan=_lifespan(settings, metrics),
        responses=problems.DOCUMENTED,
        redirect_slashes=False,  # a path that is not there is a 404, with the error body
        docs_url=None,
        redoc_url=None,
    )
    app.state.message_schemas = {}
    app.state.metrics = metrics
    problems.install(app)
    document(app, hub.inference.endpoints.ROUTES)
    for router in _ROUTERS:
        app.include_router(router)
    documentation.install(app)
    _add_message_schemas(app)
    return app


def create_asgi(settings: Settings) -> ASGIApp:
    """The application behind its outer layers, from the outermost: context, body limit, hot routes."""
    app = create_app(settings)
    uploads = {hub.artefacts.endpoints.PATH: settings.http.max_upload_bytes}
    limited = BodyLimit(HotRoutes(app, hub.inference.endpoints.ROUTES), settings.http.max_body_bytes, uploads)
    return RequestContext(limited, app.state.metrics)


def _lifespan(settings: Settings, metrics: Metrics) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            database_url = settings.database.database_url.get_secret_value()
            database = Database(database_url, settings.database.database_pool)
            stack.push_async_callback(database.close)
            redis = Redis.from_url(settings.redis.redis_url.get_secret_value(), socket_timeout=2)
            stack.push_async_callback(redis.aclose)
            key = settings.triton.triton_key
            pool = TritonPool(settings.triton.triton_urls, key.get_secret_value() if key else None)
            stack.push_async_callback(pool.close)
            meter = Meter(database_url)
            meter.start()
            stack.push_async_callback(meter.stop)
            reconciler = Reconciler(database, pool)
            reconciler.start()
            stack.push_async_callback(reconciler.stop)
            store = LocalStore(settings.store.artefact_store)

            state = app.state
            state.database = database
            state.store = store
            state.triton_settings = settings.triton
            state.authenticator = Authenticator(database, settings.limits.default_requests_per_minute)
            state.limiter = RequestLimiter(redis)
            state.plane = InferencePlane(Resolver(database), Coalescer(pool), meter, metrics)
            state.versions = VersionRegistration(
                database, store, settings.store.work_directory, allow_pickle=settings.sources.allow_pickle
            )
            state.health = Health(database, redis, pool, reconciler)
            yield

    return lifespan


def _add_message_schemas(app: FastAPI) -> None:
    """Put the schemas of the hot routes' messages beside FastAPI's own on the OpenAPI page."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        schema = generate()
        schema["components"]["schemas"].update(app.state.message_schemas)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
