"""What a search has found out so far, on disk: a conversion that was killed does not measure it again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

_T = TypeVar("_T")


class Journal:
    """A file of JSON lines, one for each finding, appended to and made durable one by one.

    `scope` is a digest of everything that the findings depend on: source, data, software, processor. Lines of another
    scope are not read. A last line that was cut off by a kill is dropped.
    """

    def __init__(self, path: Path, scope: str) -> None:
        self._path = path
        self._scope = scope
        self._found: dict[str, Any] = {}
        if path.exists():
            self._read()

    def once(self, key: str, kind: type[_T], find: Callable[[], _T]) -> _T:
        """What was found under `key` before, else what `find` finds now."""
        adapter: TypeAdapter[_T] = TypeAdapter(kind)
        if key in self._found:
            return adapter.validate_python(self._found[key])
        value = find()
        self._append(key, adapter.dump_python(value, mode="json"))
        return value

    @property
    def known(self) -> int:
        """How many findings there are."""
        return len(self._found)

    def _read(self) -> None:
        whole = self._path.read_bytes()
        whole = whole[: whole.rfind(b"\n") + 1]
        os.truncate(self._path, len(whole))
        for line in whole.splitlines():
            record = json.loads(line)
            if record["scope"] == self._scope:
                self._found[record["key"]] = record["value"]

    def _append(self, key: str, value: Any) -> None:
        self._found[key] = value
        with self._path.open("ab") as file:
            file.write(json.dumps({"scope": self._scope, "key": key, "value": value}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
