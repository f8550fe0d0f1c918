"""What the pages of the tasks say can be pasted, and is answered as they show."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.hub.inference.tasks.conftest import TaskPage


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "name",
    ["voice-activity", "detection", "classification", pytest.param("ocr", marks=pytest.mark.slow)],
)
def test_the_request_on_the_page_is_answered_as_the_page_shows(page: Callable[[str], TaskPage], name: str) -> None:
    pasted = page(name)
    shown = json.loads(next(block.text for block in pasted.blocks if block.language == "json"))
    answer = json.loads(pasted.paste("sh"))
    assert _shape(answer) == _shape(shown)
    assert answer["task"] == shown["task"] == name
    assert answer["usage"] == shown["usage"], "the page's recording, image or file costs what it says"


def _shape(value: Any) -> Any:
    """Names of fields and kinds of values; of a list that of its first element, which has to be there."""
    if isinstance(value, dict):
        return {name: _shape(entry) for name, entry in value.items()}
    if isinstance(value, list):
        assert value, "an empty list shows nothing"
        return [_shape(value[0])]
    return float if isinstance(value, int | float) else type(value)
