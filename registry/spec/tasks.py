"""The tasks Conch serves, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from registry.spec import embedding, tensor
from registry.spec.task import Task

TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in (embedding.TASK, tensor.TASK)})
