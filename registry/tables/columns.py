"""Column types that several tables share."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Enum


def enum_column(kind: type[StrEnum]) -> Enum:
    """A closed set of words, stored as text under a check constraint: easier to extend than a database enum."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        length=32,
        name=kind.__name__.lower(),
        values_callable=lambda members: [member.value for member in members],
    )
