"""Tenants and keys as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from hub.access.principal import Scope
from registry.spec.names import NAME_PATTERN

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=63)]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("only printable characters are allowed")
    return text


Label = Annotated[str, StringConstraints(min_length=1, max_length=63), AfterValidator(_printable)]


class NewTenant(BaseModel):
    """A tenant to create."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(description="Unique, lower case; part of the full name of the tenant's models.")


class TenantOut(BaseModel):
    """A tenant."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    created_at: datetime


class NewKey(BaseModel):
    """A key to create."""

    model_config = ConfigDict(extra="forbid")

    name: Label = Field(description="What the key is for.")
    tenant: Name | None = Field(None, description="The tenant, where a platform key makes the key; else your own.")
    scopes: list[Scope] = Field([Scope.INFER], min_length=1, max_length=8, description="What the key may be used for.")
    requests_per_minute: int | None = Field(None, strict=True, ge=1, le=10_000_000, description="The key's own rate.")
    expires_at: datetime | None = Field(None, description="From when on the key no longer works.")


class KeyOut(BaseModel):
    """A key, without its secret."""

    id: UUID
    name: str
    display: str = Field(description="The start of the secret, to recognise it.")
    scopes: list[str]
    requests_per_minute: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class CreatedKey(KeyOut):
    """A new key. `secret` is shown here and never again."""

    secret: str


class KeySelf(BaseModel):
    """The key that made this call."""

    id: UUID
    kind: str
    tenant: str | None
    scopes: list[str]
    requests_per_minute: int
