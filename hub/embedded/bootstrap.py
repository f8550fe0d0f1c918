"""From running servers to a first call: administrator, demo tenant, sample model, and the file that tells of them."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from hub.embedded.directory import DataDirectory
from hub.embedded.errors import CannotStart
from hub.embedded.progress import Progress
from hub.embedded.threads import in_thread


@dataclass(frozen=True)
class Keys:
    """The keys that were made; each is shown once, so that losing one means making a new one."""

    admin_key: str
    demo_key: str


async def bootstrap(data: DataDirectory, url: str, database_url: str, *, sample: bool, progress: Progress) -> Keys:
    """Make what is missing through the hub at `url`, and write `data`/bootstrap.json once all of it is there.

    Raises CannotStart with what the hub answers when it does not go along.
    """
    import httpx

    from hub.client import ApiError
    from hub.samples import SampleFailed, ensure_sample

    try:
        with progress.step("administrator and demo tenant"):
            keys = await _keys(data, url, database_url)
        if sample:
            with progress.step("sample model minilm") as step:
                await in_thread(ensure_sample, url, keys.demo_key, step.update)
    except (ApiError, SampleFailed, httpx.HTTPError) as error:
        raise CannotStart(
            f"The first steps on the new hub failed ({error}).",
            f"See {data.logs}, then start again: what was done is not done twice; --no-sample goes without the sample.",
        ) from error
    write_private(data.bootstrap, {"url": url, **asdict(keys)})
    return keys


async def _keys(data: DataDirectory, url: str, database_url: str) -> Keys:
    """The administrator's and the demo tenant's key, kept as soon as each is made."""
    from hub.bootstrap import ensure_admin, new_admin_key
    from hub.samples import ensure_demo

    known = _read(data.keys)
    admin = await in_thread(ensure_admin, database_url) or known.get("admin_key")
    if admin is None:
        admin = await in_thread(new_admin_key, database_url)
    write_private(data.keys, {**known, "admin_key": admin})
    demo = await in_thread(ensure_demo, url, admin, known.get("demo_key"))
    keys = Keys(admin, demo)
    write_private(data.keys, asdict(keys))
    return keys


def _read(path: Path) -> dict[str, str]:
    """The keys of earlier runs; none where the file is missing or not whole."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {name: value for name, value in content.items() if name in ("admin_key", "demo_key")}


def write_private(path: Path, content: dict[str, str]) -> None:
    """Write JSON that only its owner reads: at once, or not at all."""
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
