"""The meter against the real database: each call once, and a bad one takes no neighbour with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import httpx
import psycopg
import pytest
from msgspec.structs import replace

from hub.errors import Unavailable
from hub.metering.meter import Meter
from hub.metering.statement import Call
from registry.ids import new_id
from tests.hub.stack import Stack


@dataclass(frozen=True)
class Books:
    """A meter, calls it can book, and a look at what it booked."""

    meter: Meter
    template: Call
    connection: psycopg.AsyncConnection

    def call(self, **changes: object) -> Call:
        """A call that is new."""
        return replace(self.template, id=new_id(), **changes)

    async def booked(self, *calls: Call) -> list[tuple[int, int, int, int]]:
        """For each call: usage rows, ledger transactions, entries, and the sum of the debits."""
        rows = []
        for call in calls:
            found = await self.connection.execute(
                "select (select count(*) from usage_records where id = %(id)s), "
                "(select count(*) from ledger_transactions where id = %(id)s and usage_id = %(id)s), "
                "count(*), coalesce(sum(nano_amount) filter (where nano_amount > 0), 0)::bigint "
                "from ledger_entries where transaction_id = %(id)s having coalesce(sum(nano_amount), 0) = 0",
                {"id": call.id},
            )
            row = await found.fetchone()
            assert row is not None, "entries that do not sum to zero"
            rows.append(row)
        return rows


@pytest.fixture(scope="module")
def key_id(stranger: httpx.Client) -> UUID:
    return UUID(stranger.get("/v1/key").json()["id"])


@pytest.fixture(scope="module")
async def books(stack: Stack, key_id: UUID) -> AsyncIterator[Books]:
    url = stack.database_url
    meter = Meter(url)
    meter.start()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        found = await connection.execute("select tenant_id from api_keys where id = %s", (key_id,))
        [tenant_id] = await found.fetchone() or []
        found = await connection.execute(
            "select versions.id, prices.id from versions join models on models.id = model_id "
            "join prices on prices.model_id = models.id where models.name = 'tiny'"
        )
        version_id, price_id = await found.fetchone() or (None, None)
        template = Call(new_id(), tenant_id, key_id, version_id, {"requests": 2}, (price_id,), 2000)
        yield Books(meter, template, connection)
    await meter.stop()


async def test_a_call_is_one_usage_row_and_one_balanced_transaction(books: Books) -> None:
    call = books.call()
    await books.meter.book(call)
    assert await books.booked(call) == [(1, 1, 2, 2000)]


async def test_a_call_that_costs_nothing_is_booked_too(books: Books) -> None:
    call = books.call(nano_charge=0, price_ids=())
    await books.meter.book(call)
    assert await books.booked(call) == [(1, 1, 2, 0)]


async def test_the_same_call_again_counts_once(books: Books) -> None:
    call = books.call()
    await books.meter.book(call)
    await books.meter.book(call)
    await asyncio.gather(*(books.meter.book(call) for _ in range(3)), books.meter.book(other := books.call()))
    assert await books.booked(call, other) == [(1, 1, 2, 2000)] * 2


async def test_hundreds_of_calls_at_once_are_all_booked(books: Books) -> None:
    calls = [books.call(nano_charge=number) for number in range(1, 701)]
    await asyncio.gather(*map(books.meter.book, calls))
    assert await books.booked(calls[0], calls[511], calls[512], calls[-1]) == [
        (1, 1, 2, 1),
        (1, 1, 2, 512),
        (1, 1, 2, 513),
        (1, 1, 2, 700),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"version_id": UUID(int=1)},
        {"key_id": UUID(int=1)},
        {"tenant_id": UUID(int=1)},
        {"nano_charge": -1},
        {"nano_charge": 2**63},
        {"nano_charge": 2**64},
    ],
    ids=str,
)
async def test_a_bad_row_fails_alone(books: Books, change: dict) -> None:
    before, bad, after = [books.call() for _ in range(5)], books.call(**change), [books.call() for _ in range(5)]
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(*map(books.meter.book, [*before, bad, *after]), return_exceptions=True)
    assert isinstance(outcomes.pop(5), Unavailable)
    assert outcomes == [None] * 10
    assert await books.booked(*before, bad, *after) == [(1, 1, 2, 2000)] * 5 + [(0, 0, 0, 0)] + [(1, 1, 2, 2000)] * 5


async def test_a_caller_that_goes_away_is_billed_all_the_same(books: Books) -> None:
    call = books.call()
    leaving = asyncio.create_task(books.meter.book(call))
    await asyncio.sleep(0)
    leaving.cancel()
    await books.meter.book(books.call())
    assert await books.booked(call) == [(1, 1, 2, 2000)]


async def test_a_meter_whose_connection_was_cut_books_on(books: Books) -> None:
    await books.meter.book(books.call())
    await books.connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where query like '%json_to_recordset%' and pid <> pg_backend_pid()"
    )
    calls = [books.call() for _ in range(3)]
    await asyncio.gather(*map(books.meter.book, calls))
    assert await books.booked(*calls) == [(1, 1, 2, 2000)] * 3


async def test_stopping_books_what_waits(stack: Stack, books: Books) -> None:
    meter, call = Meter(stack.database_url), books.call()
    meter.start()
    waiting = asyncio.create_task(meter.book(call))
    await asyncio.sleep(0)
    await meter.stop()
    await waiting
    assert await books.booked(call) == [(1, 1, 2, 2000)]
