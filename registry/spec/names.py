"""How a caller names a model: `[tenant/]model[@alias | :number]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME_PATTERN = r"^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$"
"""Tenants, models and aliases: lower case, no slash, no leading dot, at most 63 characters, safe in a path or URL."""

DEFAULT_ALIAS = "default"

_REFERENCE = re.compile(
    r"(?:(?P<tenant>[a-z0-9][a-z0-9._-]{0,62})/)?(?P<model>[a-z0-9][a-z0-9._-]{0,62})"
    r"(?:@(?P<alias>[a-z0-9][a-z0-9._-]{0,62})|:(?P<number>[1-9][0-9]{0,8}))?"
)


@dataclass(frozen=True)
class ModelReference:
    """A parsed name; `number` and `alias` exclude each other, and neither means the alias `default`."""

    tenant: str | None
    model: str
    alias: str | None
    number: int | None

    @classmethod
    def parse(cls, text: str) -> ModelReference | None:
        """Read a reference; None for text that cannot name a model."""
        match = _REFERENCE.fullmatch(text)
        if match is None:
            return None
        number = match["number"]
        alias = match["alias"] or (None if number else DEFAULT_ALIAS)
        return cls(match["tenant"], match["model"], alias, int(number) if number else None)
