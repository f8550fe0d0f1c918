"""HTML and SVG out of functions. `Markup` is a type of its own, so that mypy finds text that nobody escaped."""

from __future__ import annotations

import html
from typing import NewType

from registry.certificates.text import plain

Markup = NewType("Markup", str)

_VOID = frozenset({"br", "link", "meta"})
_LONGEST_ATTRIBUTE = 100_000
"""Characters: a path through 4,000 points."""


def text(value: str) -> Markup:
    """Text for between tags and for attributes; controls are removed, XML cannot carry them."""
    return Markup(html.escape(plain(value)))


def element(name: str, /, *children: Markup, **attributes: str | float) -> Markup:
    """An element. `class_` is the attribute class, `stroke_width` is stroke-width; numbers get one decimal."""
    opening = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"' for key, value in attributes.items()
    )
    if name in _VOID:
        return Markup(f"<{name}{opening}>")
    return Markup(f"<{name}{opening}>{''.join(children)}</{name}>")


def joined(parts: list[Markup]) -> Markup:
    """Markup after markup."""
    return Markup("\n".join(parts))


def _attribute(value: str | float) -> str:
    if isinstance(value, str):
        return html.escape(plain(value, _LONGEST_ATTRIBUTE))
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")  # + 0.0 takes the sign from −0
