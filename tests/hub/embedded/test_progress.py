from __future__ import annotations

import io

import pytest
from rich.console import Console

from hub.embedded.progress import Progress


@pytest.mark.parametrize("terminal", [True, False])
def test_a_step_leaves_one_line_with_its_time(terminal: bool) -> None:
    text = io.StringIO()
    with Progress(Console(file=text, force_terminal=terminal, width=80)) as progress, progress.step("Redis") as step:
        step.update("starting", 0.5)
        step.outcome = "6.2"
    assert "✓ Redis: 6.2 (0." in text.getvalue()


def test_plain_lines_come_only_when_something_is_new() -> None:
    text = io.StringIO()
    with Progress(Console(file=text)) as progress, progress.step("model") as step:
        for fraction in (0.1, 0.2, 0.3):
            step.update("calibrating", fraction)
    assert text.getvalue().count("calibrating") == 1
