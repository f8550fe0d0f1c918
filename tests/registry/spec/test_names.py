import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.spec.names import DEFAULT_ALIAS, NAME_PATTERN, ModelReference

NAMES = st.from_regex(NAME_PATTERN.removesuffix("$") + r"\Z")


@given(tenant=st.none() | NAMES, model=NAMES, alias=NAMES)
def test_a_reference_by_alias_is_read(tenant: str | None, model: str, alias: str) -> None:
    prefix = f"{tenant}/" if tenant else ""
    assert ModelReference.parse(f"{prefix}{model}@{alias}") == ModelReference(tenant, model, alias, None)
    assert ModelReference.parse(f"{prefix}{model}") == ModelReference(tenant, model, DEFAULT_ALIAS, None)


@given(model=NAMES, number=st.integers(1, 999_999_999))
def test_a_reference_by_number_has_no_alias(model: str, number: int) -> None:
    assert ModelReference.parse(f"{model}:{number}") == ModelReference(None, model, None, number)


@given(st.text())
def test_what_is_parsed_is_safe_in_a_path(text: str) -> None:
    reference = ModelReference.parse(text)
    if reference is not None:
        for part in (reference.tenant, reference.model, reference.alias):
            assert part is None or re.fullmatch(r"[a-z0-9][a-z0-9._-]*", part)


@pytest.mark.parametrize(
    "text",
    [
        "", "/", "../x", "a/../b", ".hidden", "-x", "A", "a b", "a/b/c", "/a", "a/", "a@", "a:", "a:0", "a:01", "a:x",
        "a@b:1", "a:1@b", "a\n", "ä", "a" * 64, "a:1234567890",
    ],
)  # fmt: skip
def test_what_names_no_model_is_no_reference(text: str) -> None:
    assert ModelReference.parse(text) is None
