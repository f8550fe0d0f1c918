"""The tables of tenants and of the catalogue; importing this package puts them all on `Base.metadata`."""

from registry.tables.artefacts import Artefact, ArtefactOwner
from registry.tables.endpoints import Endpoint, Route, RouteTarget
from registry.tables.models import Model, Visibility
from registry.tables.tenants import Tenant
from registry.tables.versions import FileRole, Version, VersionFile, VersionState

__all__ = [
    "Artefact",
    "ArtefactOwner",
    "Endpoint",
    "FileRole",
    "Model",
    "Route",
    "RouteTarget",
    "Tenant",
    "Version",
    "VersionFile",
    "VersionState",
    "Visibility",
]
