"""Lists: `limit`, `after`, `has_more`, newest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel

Item = TypeVar("Item")
Row = TypeVar("Row")


class Page(BaseModel, Generic[Item]):
    """One page of a list; the id of its last item is the `after` of the next page."""

    object: Literal["list"] = "list"
    data: list[Item]
    has_more: bool


class Window:
    """Which page a caller wants."""

    def __init__(
        self,
        limit: Annotated[int, Query(ge=1, le=100, description="How many at most.")] = 20,
        after: Annotated[UUID | None, Query(description="Continue after the item of this id.")] = None,
    ) -> None:
        self.limit = limit
        self.after = after

    @property
    def fetch(self) -> int:
        """How many rows to ask for: one more than are shown tells whether there are more."""
        return self.limit + 1

    def page(self, rows: Sequence[Row], show: Callable[[Row], Item]) -> Page[Item]:
        """The page made of `rows`, which were asked for with `fetch`."""
        return Page(data=[show(row) for row in rows[: self.limit]], has_more=len(rows) > self.limit)


Paging = Annotated[Window, Depends(Window)]
