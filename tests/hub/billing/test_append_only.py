"""What the database itself refuses: changing prices, the ledger or the history of routes, and money from nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.errors import CheckViolation, ForeignKeyViolation, RestrictViolation, UniqueViolation

_TABLES = {
    "prices": "nano_amount = 0",
    "ledger_transactions": "usage_id = null",
    "ledger_entries": "nano_amount = 0",
    "routes": "reason = ''",
    "route_targets": "weight = 1",
}


@pytest.fixture
async def connection(scratch_url: str) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(scratch_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
async def accounts(connection: psycopg.AsyncConnection) -> list[UUID]:
    """The two accounts of a new tenant."""
    tenant, accounts = uuid4(), [uuid4(), uuid4()]
    await connection.execute("insert into tenants (id, name) values (%s, %s)", (tenant, tenant.hex))
    for account, kind in zip(accounts, ("receivable", "revenue"), strict=True):
        await connection.execute(
            "insert into ledger_accounts (id, tenant_id, kind) values (%s, %s, %s)", (account, tenant, kind)
        )
    return accounts


@pytest.mark.parametrize("table", _TABLES)
async def test_what_was_written_stays(connection: psycopg.AsyncConnection, table: str) -> None:
    for statement in (f"update {table} set {_TABLES[table]}", f"delete from {table}", f"truncate {table} cascade"):
        with pytest.raises(RestrictViolation, match="is append-only"):
            await connection.execute(statement)


async def test_usage_that_was_charged_cannot_be_deleted(
    connection: psycopg.AsyncConnection, accounts: list[UUID]
) -> None:
    with pytest.raises(RestrictViolation):
        await connection.execute("truncate usage_records cascade")


@pytest.mark.parametrize("amounts", [(5, -4), (5, 5), (5,), (-5,), (2**63 - 1, 2**63 - 1)])
async def test_entries_that_do_not_sum_to_zero_are_refused(
    connection: psycopg.AsyncConnection, accounts: list[UUID], amounts: tuple[int, ...]
) -> None:
    transaction = await _transaction(connection)
    with pytest.raises(CheckViolation, match="sum to zero"):
        await _enter(connection, transaction, accounts, amounts)
    found = await connection.execute("select count(*) from ledger_entries where transaction_id = %s", (transaction,))
    assert await found.fetchone() == (0,)


async def test_a_balanced_transaction_is_taken_once(connection: psycopg.AsyncConnection, accounts: list[UUID]) -> None:
    transaction = await _transaction(connection)
    await _enter(connection, transaction, accounts, (5, -5))
    with pytest.raises(UniqueViolation):
        await _enter(connection, transaction, accounts, (5, -5))


async def test_entries_belong_to_a_transaction_and_an_account(
    connection: psycopg.AsyncConnection, accounts: list[UUID]
) -> None:
    with pytest.raises(ForeignKeyViolation):
        await _enter(connection, uuid4(), accounts, (5, -5))
    with pytest.raises(ForeignKeyViolation):
        await _enter(connection, await _transaction(connection), [uuid4(), uuid4()], (5, -5))


async def test_a_negative_price_is_refused(connection: psycopg.AsyncConnection, accounts: list[UUID]) -> None:
    model = uuid4()
    await connection.execute(
        "insert into models (id, tenant_id, name, task, visibility, description) "
        "select %s, tenant_id, 'm', 'tensor', 'private', '' from ledger_accounts where id = %s",
        (model, accounts[0]),
    )
    with pytest.raises(CheckViolation):
        await connection.execute(
            "insert into prices (id, model_id, unit, nano_amount) values (gen_random_uuid(), %s, 'requests', -1)",
            (model,),
        )


async def _transaction(connection: psycopg.AsyncConnection) -> UUID:
    transaction = uuid4()
    await connection.execute("insert into ledger_transactions (id) values (%s)", (transaction,))
    return transaction


async def _enter(
    connection: psycopg.AsyncConnection, transaction: UUID, accounts: list[UUID], amounts: tuple[int, ...]
) -> None:
    """Insert the entries in one statement, as a booking does."""
    rows = [(transaction, account, amount) for account, amount in zip(accounts, amounts, strict=False)]
    values = ", ".join(["(%s, %s, %s)"] * len(rows))
    await connection.execute(
        f"insert into ledger_entries (transaction_id, account_id, nano_amount) values {values}",
        [value for row in rows for value in row],
    )
