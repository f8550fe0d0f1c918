"""Charges in whole nano-units: nothing is rounded, nothing overflows."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.billing.prices import MAX_NANO_AMOUNT, UnitPrice, charge, check_complete, decimal
from hub.errors import Unprocessable
from hub.inference.messages import MAX_INPUTS
from registry.spec.tasks import TASKS

_LONGEST_TEXT_TOKENS = 8192


def test_a_charge_is_the_sum_of_units_times_prices() -> None:
    prices = {"input_tokens": UnitPrice(UUID(int=1), 20), "images": UnitPrice(UUID(int=2), 1000)}
    assert charge({"input_tokens": 7, "images": 2, "truncated_tokens": 99}, prices) == 2140
    assert charge({}, prices) == 0


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63))
def test_amounts_are_written_without_loss(nano_amount: int) -> None:
    assert Decimal(decimal(nano_amount)) * 1_000_000_000 == nano_amount


def test_the_largest_request_at_the_highest_price_fits_the_ledger() -> None:
    assert MAX_INPUTS * _LONGEST_TEXT_TOKENS * MAX_NANO_AMOUNT < 2**63


@pytest.mark.parametrize("task", TASKS)
def test_every_billed_unit_needs_its_price(task: str) -> None:
    prices = dict.fromkeys(TASKS[task].billed_units, 0)
    check_complete(TASKS[task], prices)
    for wrong in ({}, prices | {"unheard_of": 1}):
        with pytest.raises(Unprocessable):
            check_complete(TASKS[task], wrong)
