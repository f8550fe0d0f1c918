"""The one statement that books calls: usage, ledger transaction and both entries, many calls at a time.

A call that is booked already is left alone (`on conflict do nothing`), and its ledger rows with it: the statement may
be repeated after a COMMIT whose outcome is unknown, and a call still counts once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

BOOK = """
with call as (
  select * from unnest(
    %(ids)s::uuid[], %(tenants)s::uuid[], %(keys)s::uuid[], %(versions)s::uuid[],
    %(units)s::jsonb[], %(prices)s::text[], %(charges)s::bigint[]
  ) as t (id, tenant_id, key_id, version_id, units, price_ids, nano_charge)
), used as (
  insert into usage_records (id, tenant_id, key_id, version_id, units, price_ids, nano_charge)
  select id, tenant_id, key_id, version_id, units, price_ids::uuid[], nano_charge from call
  on conflict (id) do nothing
  returning id, tenant_id, nano_charge
), booked as (
  insert into ledger_transactions (id, usage_id) select id, id from used
)
insert into ledger_entries (transaction_id, account_id, nano_amount)
select used.id, account.id, case account.kind when 'receivable' then nano_charge else -nano_charge end
from used join ledger_accounts account using (tenant_id)
"""


@dataclass(frozen=True)
class Call:
    """An answered call as it is billed."""

    id: UUID
    tenant_id: UUID
    key_id: UUID
    version_id: UUID
    units: Mapping[str, int]
    price_ids: tuple[UUID, ...]
    nano_charge: int


def parameters(calls: Sequence[Call]) -> dict[str, list[object]]:
    """The columns of `calls`, as arrays: one round trip and one plan, however many calls there are."""
    return {
        "ids": [call.id for call in calls],
        "tenants": [call.tenant_id for call in calls],
        "keys": [call.key_id for call in calls],
        "versions": [call.version_id for call in calls],
        "units": [json.dumps(call.units) for call in calls],
        # unnest would flatten an array of arrays, so each list of prices travels as the text of an array.
        "prices": ["{" + ",".join(str(price) for price in call.price_ids) + "}" for call in calls],
        "charges": [call.nano_charge for call in calls],
    }
