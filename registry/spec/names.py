"""How a caller names a model: `[tenant/]model[@alias | :number]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME_PATTERN = r"^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$"
"""Tenants, models and aliases: lower case, no slash, no leading dot, at most 63 characters, safe in a path or URL."""

FILE_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*){0,3}$"
"""Paths in a model's directory: no segment starts with a dot, so that none leads out of the version's own folder."""

SHA256_PATTERN = r"^[0-9a-f]{64}$"

IN_WORDS = {
    NAME_PATTERN: "a name is 1 to 63 of a-z, 0-9, dot, underscore and hyphen, with a letter or digit at both ends",
    FILE_PATTERN: "a path is relative, has at most four parts, and none of them begins with a dot or a hyphen",
    SHA256_PATTERN: "a SHA-256 is 64 hexadecimal digits in lower case",
}
"""What a pattern asks for, for those who were refused by it."""

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
