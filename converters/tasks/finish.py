"""The end that the conversions of the tasks share: search, copy what serves, say how it is to be run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters import probe
from converters.certify import Certified, certify
from converters.job import Converted, Job
from converters.probe import Tensors
from converters.subject import Subject
from registry.spec import runtime
from registry.spec.runtime import RuntimeSettings
from registry.spec.signature import Signature
from registry.spec.task import Task


@dataclass(frozen=True)
class Served:
    """How what was certified is served, and what it has to answer: `outputs` for the rows `inputs`."""

    settings: RuntimeSettings
    signature: Signature
    max_batch: int
    inputs: Tensors
    outputs: Tensors


def certified(job: Job, subject: Subject, task: Task) -> Certified:
    """Find what of `subject` is to be published, and lay its graphs out in `job.model`."""
    found = certify(job, subject, task)
    job.reporter.step("publish", "writing the files that serve", 0.95)
    place(found.candidate.directory, job.model)
    return found


def finish(job: Job, found: Certified, served: Served) -> Converted:
    """Write the settings beside the graphs, and the probe."""
    runtime.write(served.settings, job.model / runtime.FILE)
    probe.write(job.probe, served.signature, served.inputs, served.outputs)
    return Converted(found.decision, found.measured, served.signature, served.max_batch)


def place(source: Path, target: Path) -> None:
    """Copy the files in the directory `source` to where what serves is gathered."""
    for path in sorted(source.iterdir()):
        if path.is_file():
            shutil.copyfile(path, target / path.name)


def write_runtime(job: Job, task: Task, settings: Mapping[str, Any], hardware_class: str) -> None:
    """Write `settings` beside a model of a task that the hub does not serve.

    `hardware_class` is the only one it may serve on, empty for any.
    """
    content = {**settings, "task": task.name, "hardware_class": hardware_class}
    text = json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False)
    (job.model / runtime.FILE).write_text(text + "\n", encoding="utf-8")
