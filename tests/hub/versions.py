"""A version that was handed in, in the database: for tests of what is done with one."""

from __future__ import annotations

from uuid import UUID

from registry.database import WriteSession
from registry.ids import new_id
from registry.spec.certificate import Precision
from registry.tables import Model, Tenant, Version, VersionState, Visibility


async def registered_version(session: WriteSession, source_uri: str | None = None) -> tuple[UUID, Version]:
    """The first version of a new private model of a new tenant, whose id comes with it."""
    tenant = Tenant(name=f"t-{new_id().hex}")
    session.add(tenant)
    await session.flush()
    model = Model(tenant_id=tenant.id, name="m", task="tensor", visibility=Visibility.PRIVATE)
    session.add(model)
    await session.flush()
    version = Version(
        model_id=model.id,
        number=1,
        state=VersionState.REGISTERED,
        precision=Precision.INT8,
        source_uri=source_uri,
        serving_name=f"v{new_id().hex}",
    )
    session.add(version)
    await session.flush()
    return tenant.id, version
