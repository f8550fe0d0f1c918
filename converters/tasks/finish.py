"""The end that the conversions of most tasks share: search, copy what serves, say how it is to be run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from converters.certify import certify, place
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
    place(found.candidate, job.model)
    content = {
        **settings,
        "task": task.name,
        "exact_x86": found.candidate.exact_x86,
        "hardware_class": found.hardware_class,
    }
    text = json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False)
    (job.model / RUNTIME).write_text(text + "\n", encoding="utf-8")
    return Converted(found.decision, found.measured, signature, max_batch)
