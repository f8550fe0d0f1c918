"""Every place in a certificate's JSON that holds a value, and values to put there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from tests.registry.certificates.given import CERTIFICATE

Where = tuple[str | int, ...]


def _leaves(value: object, path: Where = ()) -> Iterator[Where]:
    """Where every value stands that holds no other; empty lists and objects, too."""
    children: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    if not children:
        yield path
    for key, child in children:
        yield from _leaves(child, (*path, key))


LEAVES = list(_leaves(CERTIFICATE.model_dump(mode="json")))
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)


def at(document: dict[str, Any], path: Where) -> tuple[Any, str | int]:
    """What holds the value at `path` in the certificate, and its key there."""
    holder = document["certificate"]
    for key in path[:-1]:
        holder = holder[key]
    return holder, path[-1]
