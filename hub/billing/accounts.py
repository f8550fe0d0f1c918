"""A tenant's ledger accounts."""

from __future__ import annotations

from uuid import UUID

from hub.billing.models import AccountKind, LedgerAccount
from registry.database import WriteSession


def open_accounts(session: WriteSession, tenant_id: UUID) -> None:
    """Open the accounts every tenant has; part of making the tenant, so that a charge never finds them missing."""
    session.add_all(LedgerAccount(tenant_id=tenant_id, kind=kind) for kind in AccountKind)
