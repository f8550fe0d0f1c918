"""What one attempt of a ladder goes by: the findings of the attempts before it, and the owner's time limit."""

from __future__ import annotations

from collections.abc import Iterable

from converters import lineage
from converters.job import Job
from converters.search.journal import Journal
from registry.spec.certificate import Data


def journal(job: Job, data: Iterable[Data]) -> Journal:
    """The findings about this source on these data, kept beside the conversion: after a kill they are found again."""
    job.cache.mkdir(parents=True, exist_ok=True)
    return Journal(job.cache / "journal.jsonl", lineage.findings(job.request, (entry.sha256 for entry in data)))


def is_out_of_time(job: Job) -> bool:
    """Whether the owner's time limit is reached, after which nothing more is tried."""
    limit = job.request.time_limit
    return limit is not None and job.reporter.elapsed > limit
