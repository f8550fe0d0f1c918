"""The addresses of models in MLflow: `models:/name/3`, `models:/name@alias`, `models:/m-<id>`, `runs:/<run>/path`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from registry.tracking.errors import SourceUnknown

SCHEMES = ("models:/", "runs:/")

# Names go into MLflow's filter language and into paths: no quotes, no backslashes, nothing that cannot be printed.
_NAME = r"[^/@:'\"\\\x00-\x1f\x7f]{1,250}"
_LOGGED = re.compile(r"models:/(?P<model_id>m-[0-9a-zA-Z]{1,64})/?")
_VERSION = re.compile(rf"models:/(?P<name>{_NAME})/(?P<version>[0-9]{{1,9}})/?")
_ALIAS = re.compile(rf"models:/(?P<name>{_NAME})@(?P<alias>[\w\-]{{1,250}})/?")
_RUN = re.compile(rf"runs:/(?P<run_id>[0-9a-zA-Z][\w\-]{{0,250}})/(?P<path>{_NAME}(?:/{_NAME}){{0,20}})/?")


@dataclass(frozen=True)
class VersionReference:
    """A version of a registered model."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"version {self.version} of a model {self.name!r}"


@dataclass(frozen=True)
class AliasReference:
    """The version of a registered model that an alias points at."""

    name: str
    alias: str

    def __str__(self) -> str:
        return f"model {self.name!r} with the alias {self.alias!r}"


@dataclass(frozen=True)
class LoggedReference:
    """A model that was logged, whether registered or not."""

    model_id: str

    def __str__(self) -> str:
        return f"logged model {self.model_id}"


@dataclass(frozen=True)
class RunReference:
    """What a run logged under `path`."""

    run_id: str
    path: str

    def __str__(self) -> str:
        return f"run {self.run_id}"


Reference = VersionReference | AliasReference | LoggedReference | RunReference


def is_reference(source: str) -> bool:
    """Whether `source` means a model in MLflow and not a directory."""
    return source.startswith(SCHEMES)


def parse(uri: str) -> Reference:
    """The reference that `uri` is. Raises SourceUnknown where it is none."""
    kinds = ((_LOGGED, LoggedReference), (_VERSION, VersionReference), (_ALIAS, AliasReference), (_RUN, RunReference))
    for pattern, kind in kinds:
        match = pattern.fullmatch(uri)
        if match and uri.isprintable() and ".." not in uri.split("/"):
            return kind(**match.groupdict())
    raise SourceUnknown(
        "That is not the address of a model in MLflow.",
        "Write models:/name/3, models:/name@alias, models:/m-… with a logged model's id, or runs:/run-id/path.",
    )
