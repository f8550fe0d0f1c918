"""The format of a key: what is wrong with it is found without asking anybody."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.access import keys
from hub.access.keys import KeyKind

_KEYS = {kind: keys.generate(kind) for kind in KeyKind}


@pytest.mark.parametrize("kind", KeyKind)
def test_a_key_names_its_kind_and_is_base62(kind: KeyKind) -> None:
    secret = keys.generate(kind)
    assert re.fullmatch(rf"conch_{kind.value}_[0-9A-Za-z]{{32}}[0-9A-Za-z]{{6}}", secret)
    assert keys.is_well_formed(secret)


def test_no_two_keys_are_alike() -> None:
    assert len({keys.generate(KeyKind.LIVE) for _ in range(1000)}) == 1000


@settings(deadline=None)
@given(kind=st.sampled_from(list(KeyKind)), position=st.integers(0, 49), character=st.characters())
def test_any_single_wrong_character_is_noticed(kind: KeyKind, position: int, character: str) -> None:
    secret = _KEYS[kind]
    position = min(position, len(secret) - 1)
    typo = secret[:position] + character + secret[position + 1 :]
    assert keys.is_well_formed(typo) == (typo == secret)


@settings(deadline=None)
@given(kind=st.sampled_from(list(KeyKind)), position=st.integers(0, 48))
def test_two_swapped_characters_are_noticed(kind: KeyKind, position: int) -> None:
    secret = _KEYS[kind]
    position = min(position, len(secret) - 2)
    swapped = secret[:position] + secret[position + 1] + secret[position] + secret[position + 2 :]
    assert keys.is_well_formed(swapped) == (swapped == secret)


@settings(deadline=None)
@given(st.text())
def test_other_text_is_no_key(text: str) -> None:
    assert not keys.is_well_formed(text)
    assert not keys.is_well_formed(KeyKind.LIVE.prefix + text)


def test_a_cut_or_lengthened_key_is_noticed() -> None:
    secret = _KEYS[KeyKind.LIVE]
    for wrong in (secret[:-1], secret[1:], secret + "0", secret + "\n", " " + secret):
        assert not keys.is_well_formed(wrong)


def test_a_list_shows_four_characters_of_the_secret_part_and_no_more() -> None:
    secret = _KEYS[KeyKind.LIVE]
    shown = keys.displayable(secret)
    assert shown == secret[: len("conch_live_") + 4] + "…"
