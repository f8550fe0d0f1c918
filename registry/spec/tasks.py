"""The tasks Conch knows, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from registry.spec import (
    chat,
    classification,
    detection,
    embedding,
    ocr,
    speech,
    tensor,
    transcription,
    voice_activity,
)
from registry.spec.task import Task

_MODULES = (embedding, tensor, classification, detection, ocr, voice_activity, speech, transcription, chat)

TASKS: Mapping[str, Task] = MappingProxyType({module.TASK.name: module.TASK for module in _MODULES})
"""What models can be converted for."""

SERVED = ("embedding", "tensor", "classification", "detection", "ocr", "voice-activity")
"""The tasks that the hub serves; the others are converted and certified with `conch convert` only."""
