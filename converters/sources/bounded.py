"""Reading numbers and bytes one after the other from a file whose lengths may lie."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from pathlib import Path

from converters.errors import SourceInvalid

Refuse = Callable[[str], SourceInvalid]
"""Makes the error of a format from the reason."""


class Bounded:
    """A position in little-endian bytes that never moves beyond their end: SourceInvalid where a length would."""

    def __init__(self, data: memoryview, refuse: Refuse) -> None:
        self._data = data
        self._refuse = refuse
        self.position = 0

    @property
    def left(self) -> int:
        """The bytes behind the position."""
        return len(self._data) - self.position

    def take(self, size: int) -> memoryview:
        """The next `size` bytes."""
        begin, end = self.position, self.position + size
        if end > len(self._data):
            raise self._refuse(f"it ends at byte {len(self._data)}, within what its lengths promise")
        self.position = end
        return self._data[begin:end]

    def number(self, kind: str) -> int:
        """The next integer, of a kind that `struct` knows."""
        number: int = struct.unpack(f"<{kind}", self.take(struct.calcsize(f"<{kind}")))[0]
        return number

    def count(self, kind: str, most: int, what: str) -> int:
        """The next integer, which is how many of `what` follow, at most `most`."""
        number = self.number(kind)
        if number > most:
            raise self._refuse(f"it promises {number} {what}, more than {most}")
        return number


def mapped(path: Path) -> memoryview:
    """The bytes of a file, mapped read-only for as long as something looks at them."""
    with path.open("rb") as file:
        empty = path.stat().st_size == 0
        return memoryview(b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
