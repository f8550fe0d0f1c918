"""Parameters of the unified route."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import msgspec

from hub.errors import Unprocessable

Parameters = TypeVar("Parameters", bound=msgspec.Struct)


def refuse_unknown(parameters: Mapping[str, Any], known: Collection[str]) -> None:
    """Raises `Unprocessable` for a parameter the task does not know: ignoring it would be a silent lie."""
    for name in parameters:
        if name not in known:
            raise Unprocessable(
                f"The task does not know the parameter {name!r}.",
                param=f"parameters.{name}",
                reason="parameter",
                remedy=f"It knows {', '.join(known)}." if known else "It has none: leave them out.",
            )


def read(parameters: Mapping[str, Any], kind: type[Parameters]) -> Parameters:
    """`parameters` as the task's own `kind`. Raises `Unprocessable` for one that it does not know, or a wrong value."""
    refuse_unknown(parameters, kind.__struct_fields__)
    try:
        return msgspec.convert(parameters, kind)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at ")
        name = where.strip("`").removeprefix("$.")
        raise Unprocessable(f"{name}: {message}.", param=f"parameters.{name}", reason="parameter") from error
