"""Tables of prices and of the double-entry ledger.

What makes a cheat or a slip impossible lives in the database (see the migrations): entries of a transaction sum to
zero, and neither entries nor transactions nor prices are ever changed or deleted.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base, Created, Identified
from registry.tables.columns import enum_column

CURRENCY = "USD"
NANO_PER_UNIT = 1_000_000_000


class Price(Identified, Created, Base):
    """What one unit of a model costs from a moment on; the newest that has begun is in force."""

    __tablename__ = "prices"
    __table_args__ = (
        UniqueConstraint("model_id", "unit", "effective_from"),
        CheckConstraint("nano_amount >= 0", name="amount_not_negative"),
    )

    model_id: Mapped[UUID] = mapped_column(ForeignKey("models.id"))
    unit: Mapped[str] = mapped_column(String(32))
    nano_amount: Mapped[int] = mapped_column(BigInteger)
    effective_from: Mapped[datetime] = mapped_column(server_default=func.now())


class AccountKind(StrEnum):
    """The accounts of the ledger: what a tenant owes, and what was earned."""

    RECEIVABLE = "receivable"
    REVENUE = "revenue"


class LedgerAccount(Identified, Created, Base):
    """An account of a tenant."""

    __tablename__ = "ledger_accounts"
    __table_args__ = (UniqueConstraint("tenant_id", "kind"),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    kind: Mapped[AccountKind] = mapped_column(enum_column(AccountKind))


class LedgerTransaction(Created, Base):
    """A booking. The charge of a call has the id of the call, so that it can be booked only once."""

    __tablename__ = "ledger_transactions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    usage_id: Mapped[UUID | None] = mapped_column(ForeignKey("usage_records.id"))


class LedgerEntry(Base):
    """One side of a booking, in nano-units: positive is debit, negative is credit."""

    __tablename__ = "ledger_entries"
    __table_args__ = (Index("ix_ledger_entries_account_id", "account_id"),)

    transaction_id: Mapped[UUID] = mapped_column(ForeignKey("ledger_transactions.id"), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("ledger_accounts.id"), primary_key=True)
    nano_amount: Mapped[int] = mapped_column(BigInteger)
