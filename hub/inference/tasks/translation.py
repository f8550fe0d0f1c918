"""What a task's translation must do, and which module does it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from hub.inference.messages import AnswerPart, AudioPart, ImagePart, Part
from hub.inference.resolver import Target
from hub.inference.rows import Answer, Row, RowShapes
from hub.inference.tasks import classification, detection, embedding, ocr, tensor, voice_activity


class Translation(Protocol):
    """A task's side of the unified route."""

    def encode(
        self, parts: Sequence[Part], parameters: Mapping[str, Any], target: Target
    ) -> tuple[RowShapes, list[Row]]:
        """Rows of a request. Raises `Unprocessable` where the parts are not what the task takes."""
        ...

    def decode(self, answer: Answer, parameters: Mapping[str, Any], target: Target) -> Sequence[AnswerPart]:
        """Public parts of an answer to a request with `parameters`."""
        ...


TRANSLATIONS: Mapping[str, Translation] = {
    "embedding": embedding,
    "tensor": tensor,
    "classification": classification,
    "detection": detection,
    "ocr": ocr,
    "voice-activity": voice_activity,
}

# Two: ten minutes of audio take a second or two, and up to 400 MB while they are decoded.
_MEDIA = ThreadPoolExecutor(2, thread_name_prefix="media")


async def encode(
    translation: Translation, parts: Sequence[Part], parameters: Mapping[str, Any], target: Target
) -> tuple[RowShapes, list[Row]]:
    """Rows of a request; where there is media in it, in a thread, so that nobody else waits. Raises `Unprocessable`."""
    if not any(isinstance(part, ImagePart | AudioPart) for part in parts):
        return translation.encode(parts, parameters, target)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_MEDIA, translation.encode, parts, parameters, target)
