"""Following a job to its end, over broken connections."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from hub.client.errors import ApiError

_RECONNECT_SECONDS = 1.0
_RECONNECTS = 30


@dataclass(frozen=True)
class JobProgress:
    """A step of a job. `elapsed` is in seconds since the job began, `fraction` from 0 to 1 where it is known."""

    step: str
    message: str
    fraction: float | None
    elapsed: float


@dataclass(frozen=True)
class JobEnd:
    """How a job ended: `outcome` is `published`, or `rejected` or `failed` with a message and a remedy."""

    outcome: str
    message: str | None
    remedy: str | None


def watch(http: httpx.Client, job_id: str) -> Iterator[JobProgress | JobEnd]:
    """Every step of a job, each once, and then its end. Reconnects where the connection breaks."""
    seen, broken = 0, 0
    while True:
        try:
            for number, event in _stream(http, job_id):
                broken = 0
                if isinstance(event, JobEnd):
                    yield event
                    return
                if number > seen:
                    seen = number
                    yield event
        except httpx.TransportError:
            broken += 1
            if broken > _RECONNECTS:
                raise
            time.sleep(_RECONNECT_SECONDS)


def _stream(http: httpx.Client, job_id: str) -> Iterator[tuple[int, JobProgress | JobEnd]]:
    with http.stream("GET", f"/v1/jobs/{job_id}/events", timeout=60) as response:
        if response.status_code != httpx.codes.OK:
            response.read()
            raise ApiError.from_response(response)
        kind, number = "", 0
        for line in response.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "id":
                number = int(value)
            elif name == "data":
                yield number, _event(kind, json.loads(value))


def _event(kind: str, data: dict[str, Any]) -> JobProgress | JobEnd:
    if kind == "progress":
        return JobProgress(data["step"], data["message"], data["fraction"], data["elapsed"])
    failure = data["failure"] or {}
    return JobEnd(data["outcome"], failure.get("message"), failure.get("remedy"))
