"""What BYTES inputs hold: one element a row, as a tenant sent it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from numpy.typing import NDArray

from registry.spec import image
from registry.spec.image import Image
from triton_repo.runtime.adapter import InvalidRows

Read = TypeVar("Read")


def contents(array: NDArray[Any]) -> Sequence[bytes]:
    """The elements of BYTES [rows, 1]."""
    found: list[bytes] = array.ravel().tolist()
    return found


def pictures(array: NDArray[Any], prepare: Callable[[Image], Read]) -> list[Read]:
    """What `prepare` makes of each picture of BYTES [rows, 1]: one after the other, so that only one is in memory.

    Raises InvalidRows for what is no picture.
    """
    try:
        return [prepare(image.decode(content)) for content in contents(array)]
    except ValueError as error:
        raise InvalidRows(str(error)) from error
