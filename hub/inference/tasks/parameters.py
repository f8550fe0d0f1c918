"""Parameters of the unified route."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from hub.errors import Unprocessable


def refuse_unknown(parameters: Mapping[str, Any], known: Collection[str]) -> None:
    """Raises `Unprocessable` for a parameter the task does not know: ignoring it would be a silent lie."""
    for name in parameters:
        if name not in known:
            raise Unprocessable(
                f"The task does not know the parameter {name!r}.", param=f"parameters.{name}", reason="parameter"
            )
