"""The end that the conversions of the tasks share: search, copy what serves, say how it is to be run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from converters.certify import certify
from converters.job import Converted, Job
from converters.subject import Subject
from registry.spec.signature import Signature
from registry.spec.task import Task

RUNTIME = "runtime.json"


def certified(
    job: Job, subject: Subject, task: Task, settings: Mapping[str, Any], signature: Signature, max_batch: int
) -> Converted:
    """Find what of `subject` is to be published, and lay it out in `job.model` with its `settings` beside it."""
    found = certify(job, subject, task)
    job.reporter.step("publish", "writing the files that serve", 0.95)
    place(found.candidate.directory, job.model)
    write_runtime(job, task, {**settings, "exact_x86": found.candidate.exact_x86}, found.hardware_class)
    return Converted(found.decision, found.measured, signature, max_batch)


def place(source: Path, target: Path) -> None:
    """Copy the files in the directory `source` to where what serves is gathered."""
    for path in sorted(source.iterdir()):
        if path.is_file():
            shutil.copyfile(path, target / path.name)


def write_runtime(job: Job, task: Task, settings: Mapping[str, Any], hardware_class: str) -> None:
    """Write `settings` beside the model; `hardware_class` is the only one it may serve on, empty for any."""
    content = {**settings, "task": task.name, "hardware_class": hardware_class}
    text = json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False)
    (job.model / RUNTIME).write_text(text + "\n", encoding="utf-8")
