"""What a task's translation must do, and which module does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from hub.inference.messages import Part, TensorPart
from hub.inference.resolver import Target
from hub.inference.rows import Answer, Row, RowShapes
from hub.inference.tasks import embedding, tensor


class Translation(Protocol):
    """A task's side of the unified route."""

    def encode(
        self, parts: Sequence[Part], parameters: Mapping[str, Any], target: Target
    ) -> tuple[RowShapes, list[Row]]:
        """Rows of a request. Raises `Unprocessable` where the parts are not what the task takes."""
        ...

    def decode(self, answer: Answer, target: Target) -> list[TensorPart]:
        """Public parts of an answer."""
        ...


TRANSLATIONS: Mapping[str, Translation] = {"embedding": embedding, "tensor": tensor}
