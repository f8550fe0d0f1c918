"""Models and versions in the database."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Row, func, or_, select
from sqlalchemy.orm import selectinload

from hub.catalogue.schemas import NewVersion
from registry.database import ReadSession, WriteSession
from registry.ids import new_id
from registry.spec.names import ModelReference
from registry.tables import FileRole, Model, Tenant, Version, VersionFile, VersionState, Visibility


async def visible_models(session: ReadSession, tenant_id: UUID | None) -> Sequence[Row[Model, str]]:
    """The models a tenant may call, its own and public ones, newest first; all of them for the platform."""
    query = select(Model, Tenant.name).join(Tenant, Tenant.id == Model.tenant_id).order_by(Model.id.desc())
    if tenant_id is not None:
        query = query.where(or_(Model.tenant_id == tenant_id, Model.visibility == Visibility.PUBLIC))
    return (await session.execute(query)).all()


async def find_model(session: ReadSession, tenant_id: UUID | None, reference: ModelReference) -> Row[Model, str] | None:
    """The model a reference means to a tenant: its own, or another tenant's public one under its full name."""
    query = select(Model, Tenant.name).join(Tenant, Tenant.id == Model.tenant_id).where(Model.name == reference.model)
    if reference.tenant is None:
        query = query.where(Model.tenant_id == tenant_id)
    else:
        query = query.where(Tenant.name == reference.tenant)
        if tenant_id is not None:
            query = query.where(or_(Model.tenant_id == tenant_id, Model.visibility == Visibility.PUBLIC))
    return (await session.execute(query)).one_or_none()


async def own_model(session: ReadSession, tenant_id: UUID, name: str) -> Model | None:
    """A tenant's own model."""
    return await session.scalar(select(Model).where(Model.tenant_id == tenant_id, Model.name == name))


async def add_version(session: WriteSession, model: Model, new: NewVersion) -> Version:
    """A new version under the model's next number; the model's row is locked, so that no number is given twice."""
    await session.execute(select(Model.id).where(Model.id == model.id).with_for_update())
    latest = await session.scalar(select(func.max(Version.number)).where(Version.model_id == model.id))
    version_id = new_id()
    version = Version(
        id=version_id,
        model_id=model.id,
        number=(latest or 0) + 1,
        state=VersionState.REGISTERED,
        precision=new.precision,
        budget=new.budget,
        time_limit=new.time_limit_seconds,
        source_uri=new.source_uri,
        serving_name=f"v{version_id.hex}",
    )
    session.add(version)
    await session.flush()
    session.add_all(
        VersionFile(version_id=version_id, role=FileRole.SOURCE, path=path, sha256=sha256)
        for path, sha256 in new.files.items()
    )
    await session.flush()
    await session.refresh(version)
    return version


async def list_versions(session: ReadSession, model_id: UUID, after: UUID | None, limit: int) -> Sequence[Version]:
    """A model's versions, newest first."""
    query = select(Version).where(Version.model_id == model_id).order_by(Version.id.desc()).limit(limit)
    if after is not None:
        query = query.where(Version.id < after)
    return (await session.scalars(query)).all()


async def get_version(session: ReadSession, model_id: UUID, number: int) -> Version | None:
    """A version with its files."""
    return await session.scalar(
        select(Version)
        .where(Version.model_id == model_id, Version.number == number)
        .options(selectinload(Version.files))
    )
