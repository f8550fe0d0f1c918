"""`python -m hub.settings_reference`: the page of every setting, generated from the settings classes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from hub.settings import ALL_SETTINGS

REGENERATE = "python -m hub.settings_reference > docs/configuration.md"

_INTRODUCTION = f"""\
# Configuration

Generated from `hub/settings.py`; do not edit. To write it anew: `{REGENERATE}`.

Every setting is an environment variable. It is read once, when a process starts; a value that does not fit ends the
process with one line that names the variable. `conch serve` needs every variable below that is marked as required
but `CONCH_SIGNING_KEY`, `conch worker` all of them but `CONCH_REDIS_URL`. `conch up` needs none: it makes its own
`CONCH_DATABASE_URL`, `CONCH_REDIS_URL`, `CONCH_TRITON_URLS`, `CONCH_TRITON_KEY`, `CONCH_TRITON_METRICS_URLS`,
`CONCH_MODEL_REPOSITORY`, `CONCH_ARTEFACT_STORE`, `CONCH_WORK_DIRECTORY`, `CONCH_SIGNING_KEY`,
`CONCH_MLFLOW_DIRECTORY` and `CONCH_MLFLOW_SHARED`. Where you set `CONCH_DATABASE_URL`, `CONCH_REDIS_URL` or
`CONCH_TRITON_URLS` (the last one together with `CONCH_MODEL_REPOSITORY`), `conch up` uses your server and starts none
of its own.
"""

_TYPES = {bool: "true or false", str: "text", int: "integer", float: "number", Path: "path", SecretStr: "text, secret"}
_BOUNDS = {Ge: ("≥", "ge"), Gt: (">", "gt"), Le: ("≤", "le"), Lt: ("<", "lt")}
_BYTE_UNITS = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))


def render() -> str:
    """The page, in Markdown."""
    return "\n".join([_INTRODUCTION, *(_section(settings) for settings in ALL_SETTINGS)])


def _section(settings: type[BaseSettings]) -> str:
    """One class: its docstring as the heading, a row for each of its fields."""
    title = inspect.cleandoc(settings.__doc__ or settings.__name__).rstrip(".")
    prefix = settings.model_config.get("env_prefix", "")
    rows = (_row(f"{prefix}{name}".upper(), field) for name, field in settings.model_fields.items())
    return "\n".join([f"## {title}", "", "| variable | type | default | meaning |", "|---|---|---|---|", *rows, ""])


def _row(variable: str, field: FieldInfo) -> str:
    kind = ", ".join([_type(field.annotation), *_bounds(field.metadata)])
    meaning = (field.description or "").replace("|", "\\|")
    return f"| `{variable}` | {kind} | {_default(variable, field)} | {meaning} |"


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return "one of " + ", ".join(f"`{value}`" for value in arguments)
    if origin is tuple:
        return "list, separated by commas"
    if origin in (Union, UnionType):
        return " or ".join(_type(argument) for argument in arguments if argument is not NoneType)
    return _TYPES[annotation]


def _bounds(metadata: Iterable[object]) -> Iterable[str]:
    """The limits of a number; a setting of a kind that this page does not know shows none."""
    for constraint in metadata:
        if type(constraint) in _BOUNDS:
            sign, attribute = _BOUNDS[type(constraint)]
            yield f"{sign} {getattr(constraint, attribute)}"


def _default(variable: str, field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default is None or field.default == ():
        return "none"
    return f"`{field.default}`{_in_words(field.default) if variable.endswith('_BYTES') else ''}"


def _in_words(count: int) -> str:
    """A number of bytes in the largest unit that holds it as a whole."""
    for size, unit in _BYTE_UNITS:
        if count % size == 0:
            return f" ({count // size} {unit})"
    return ""


if __name__ == "__main__":
    sys.stdout.write(render())
