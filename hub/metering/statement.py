"""The one statement that books calls: usage, ledger transaction and both entries, many calls at a time.

A call that is booked already is left alone (`on conflict do nothing`), and its ledger rows with it: the statement may
be repeated after a COMMIT whose outcome is unknown, and a call still counts once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

BOOK = """
with call as (
  select * from json_to_recordset(%s::json) as t (
    id uuid, tenant_id uuid, key_id uuid, version_id uuid, units jsonb, price_ids uuid[], nano_charge bigint
  )
), used as (
  insert into usage_records (id, tenant_id, key_id, version_id, units, price_ids, nano_charge)
  select * from call
  on conflict (id) do nothing
  returning id, tenant_id, nano_charge
), booked as (
  insert into ledger_transactions (id, usage_id) select id, id from used
)
insert into ledger_entries (transaction_id, account_id, nano_amount)
select used.id, account.id, case account.kind when 'receivable' then nano_charge else -nano_charge end
from used join ledger_accounts account using (tenant_id)
"""


class Call(msgspec.Struct, frozen=True):
    """An answered call as it is billed."""

    id: UUID
    tenant_id: UUID
    key_id: UUID
    version_id: UUID
    units: Mapping[str, int]
    price_ids: tuple[UUID, ...]
    nano_charge: int


def parameters(calls: Sequence[Call]) -> tuple[str]:
    """`calls` as the one parameter of `BOOK`: one round trip and one plan, however many calls there are."""
    return (msgspec.json.encode(calls).decode(),)
