"""What the operator sees while things start: a line for each step, with how long it took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress as Display
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Step:
    """One step that is under way."""

    def __init__(self, reporter: Progress, title: str, task: TaskID | None) -> None:
        self._reporter = reporter
        self._title = title
        self._task = task
        self._last = ""
        self.outcome = ""

    def update(self, message: str, fraction: float | None = None) -> None:
        """Say what is being done now; `fraction` (0…1) where it is known."""
        self._reporter.show(self._title, message, fraction, self._task, changed=message != self._last)
        self._last = message


class Progress:
    """Steps on a console: moving on a terminal, plain lines elsewhere. Steps may overlap."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._display: Display | None = None
        if console.is_terminal:
            columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
            self._display = Display(*columns, console=console, transient=True)

    def __enter__(self) -> Progress:
        if self._display is not None:
            self._display.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the moving lines off the console; those that are said stay."""
        if self._display is not None:
            self._display.stop()

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Report `title` as under way; when the block ends well, as done, with the time and the step's outcome."""
        task = self._display.add_task(title) if self._display is not None else None
        if task is None:
            self.say(f"{title} …")
        step = Step(self, title, task)
        begun = time.monotonic()
        try:
            yield step
        finally:
            if self._display is not None and task is not None:
                self._display.remove_task(task)
        outcome = f": {step.outcome}" if step.outcome else ""
        self.say(f"✓ {title}{outcome} ({time.monotonic() - begun:.1f} s)")

    def show(self, title: str, message: str, fraction: float | None, task: TaskID | None, *, changed: bool) -> None:
        """Show what a step is doing; without a terminal only what has changed, and that is not the fraction."""
        if self._display is not None and task is not None:
            share = "" if fraction is None else f" ({fraction:.0%})"
            self._display.update(task, description=f"{title}: {message}{share}")
        elif changed:
            self.say(f"{title}: {message}")

    def say(self, line: str) -> None:
        """One line for good."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
